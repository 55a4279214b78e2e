"""Who has done, holds, or was first given what: the book of a host's work as it stands at a moment. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events import RunStarted
from virnucpro_bus.fixed_work import fixed_work
from virnucpro_bus.workbook import Done, Planned, WorkBook

_LEAST_SECONDS = 1e-9
"""Of work that took less no rate is told."""


class InHand(NamedTuple):
    """A file that a device works on, since a time on the host's monotonic clock."""

    device: str
    file: str
    since_ns: int


@dataclass(frozen=True)
class Look:
    """What else is known of the run at the moment of the look, besides its book."""

    devices: frozenset[str]
    """Those that take part, by key …"""
    living: frozenset[str]
    """… and those that can be given files."""
    in_hand: Sequence[InHand]
    failed: Container[str]
    """Files that nobody will try again."""
    is_stealing: bool
    started_ns: int
    """When the session was announced, on the host's monotonic clock; 0 when that is unknown."""
    now_ns: int
    is_over: bool
    """Whether nothing more will be handed out."""


@dataclass(frozen=True)
class Work:
    """One host's part, for those who figure something out from it; the book is the fold's own."""

    run: RunStarted | None
    book: WorkBook
    look: Look


@dataclass
class Share:
    """One device's part in the work of the session."""

    seconds: list[float] = field(default_factory=list)
    """Of each completed file."""
    failed_seconds: list[float] = field(default_factory=list)
    """Of each failed attempt."""
    starts_ns: list[int] = field(default_factory=list)
    """When it took a file, …"""
    ends_ns: list[int] = field(default_factory=list)
    """… and when it put one down."""
    work: int = 0
    """Of the completed files, as estimated."""
    waiting: int = 0
    """The estimated work that was first given to it and that nobody has begun."""
    biggest_left: int = 0
    """The biggest file of that, or in hand."""
    in_hand: InHand | None = None
    in_hand_work: int = 0

    def has_in_hand(self, held: InHand, work: int) -> None:
        """It works on a file."""
        self.starts_ns.append(held.since_ns)
        self.in_hand, self.in_hand_work = held, work
        self.biggest_left = max(self.biggest_left, work)

    def has_waiting(self, work: int) -> None:
        """A file that nobody has begun was given to it."""
        self.waiting += work
        self.biggest_left = max(self.biggest_left, work)

    @property
    def first_ns(self) -> int | None:
        """When it took its first file; None before it has."""
        return min(self.starts_ns, default=None)

    @property
    def last_ns(self) -> int | None:
        """When it last put one down; None before it has."""
        return max(self.ends_ns, default=None)

    @property
    def done_seconds(self) -> float:
        """How long it worked on files that it has put down."""
        return math.fsum([*self.seconds, *self.failed_seconds])

    @property
    def rate(self) -> float | None:
        """Work per second; None when it has completed nothing."""
        seconds = math.fsum(self.seconds)
        return self.work / seconds if seconds >= _LEAST_SECONDS else None

    @property
    def gap_seconds(self) -> float | None:
        """The mean time between two files that it has put down; None before the second."""
        files = len(self.seconds) + len(self.failed_seconds)
        if files < 2:
            return None
        span_ns = max(self.ends_ns) - min(self.starts_ns)
        return max(0.0, span_ns / NANOSECONDS - self.done_seconds) / (files - 1)


def shares_of(
    book: WorkBook, look: Look, plan: Mapping[str, Planned], done: Mapping[str, Done]
) -> dict[str, Share]:
    """Every device's share, by key in order; `plan` and `done` are what the book says of this session.

    A file that nobody will do (any more) is in none of them.
    """
    shares = {key: Share() for key in look.devices}
    fixed = _fixed_work(plan, done)
    held = {each.file: each for each in look.in_hand}
    for file, (owner, cost) in plan.items():
        work = (cost or 1) + fixed
        if (record := done.get(file)) is not None:
            end_ns, seconds, key = record
            share = shares.get(key) or shares.setdefault(key, Share())
            share.starts_ns.append(end_ns - int(seconds * NANOSECONDS))
            share.ends_ns.append(end_ns)
            share.seconds.append(seconds)
            share.work += work
        elif look.is_over or file in look.failed:
            continue
        elif (holder := held.get(file)) is not None:
            shares.setdefault(holder.device, Share()).has_in_hand(holder, work)
        else:
            shares.setdefault(owner, Share()).has_waiting(work)
    for end_ns, seconds, key in book.failed:
        if end_ns >= look.started_ns:
            share = shares.setdefault(key, Share())
            share.starts_ns.append(end_ns - int(seconds * NANOSECONDS))
            share.ends_ns.append(end_ns)
            share.failed_seconds.append(seconds)
    return dict(sorted(shares.items()))


def _fixed_work(plan: Mapping[str, Planned], done: Mapping[str, Done]) -> int:
    files = defaultdict[str, list[tuple[int, float]]](list)
    for file, (_, seconds, key) in done.items():
        files[key].append((plan[file][1] or 1, seconds))
    return fixed_work(files.values())
