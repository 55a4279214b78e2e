"""Who has done, holds, or was first given what: the book of a host's work as it stands at a moment. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from virnucpro_bus.effect.device_totals import Tally
from virnucpro_bus.effect.duration_model import fixed_work
from virnucpro_bus.effect.totals import Left, Sums, SumsCache
from virnucpro_bus.effect.work_log import WorkBook
from virnucpro_bus.events.vocabulary import RunStarted


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
    up_ns: Mapping[str, int]
    """When each first could do files in this session, by key; those that never could are not in it."""
    gone_ns: Mapping[str, int]
    """When each of those that have no worker any more, having lost the last, had lost it, by key."""
    in_hand: Sequence[InHand]
    failed: Collection[str]
    """Files that nobody will try again."""
    is_stealing: bool
    started_ns: int
    """When the session was announced, on the host's monotonic clock; 0 when that is unknown."""
    now_ns: int
    is_over: bool
    """Whether nothing more will be handed out."""
    files_total: int = 0
    """Of the run, with those that were done in earlier sessions; 0 when that is unknown."""


@dataclass(frozen=True)
class Work:
    """One host's part, for those who figure something out from it; the book is the fold's own."""

    run: RunStarted | None
    book: WorkBook
    look: Look


@dataclass
class Share:
    """One device's part in the work of the session; work is as estimated, and with what every file costs."""

    done: Tally = field(default_factory=Tally)
    """What it has put down."""
    fixed: int = 0
    """What every file costs."""
    waiting: int = 0
    """The work that was first given to it and that nobody has begun …"""
    biggest_waiting: int = 0
    """… and the biggest file of that."""
    in_hand: InHand | None = None
    in_hand_work: int = 0

    def has_in_hand(self, held: InHand, work: int) -> None:
        """It works on a file."""
        self.in_hand, self.in_hand_work = held, work + self.fixed

    def has_waiting(self, left: Left) -> None:
        """Files that nobody has begun were given to it."""
        self.waiting = left.work + self.fixed * left.files
        self.biggest_waiting = left.biggest + self.fixed if left.files else 0

    @property
    def biggest_left(self) -> int:
        """The biggest file that waits, or in hand."""
        return max(self.biggest_waiting, self.in_hand_work)

    @property
    def first_ns(self) -> int | None:
        """When it took its first file; None before it has."""
        starts = (self.done.first_ns, None if self.in_hand is None else self.in_hand.since_ns)
        return min((start for start in starts if start is not None), default=None)

    @property
    def work(self) -> int:
        """Of the completed files."""
        return self.done.work + self.fixed * self.done.files

    @property
    def rate(self) -> float | None:
        """Work per second; None when it has completed nothing."""
        return self.done.rate(self.fixed)


def sums_of(book: WorkBook, look: Look, cache: SumsCache | None = None) -> Sums | None:
    """The session's part of the book, added up; None where the plan, or what was done, is not known as a whole."""
    if not book.assigned or book.passed_over:
        return None
    sums = (cache or SumsCache()).of(book, look.started_ns)
    return sums if sums.known >= look.files_total else None


def shares_of(sums: Sums, look: Look) -> dict[str, Share]:
    """Every device's share, by key in order.

    A file that nobody will do (any more) is in none of them.
    """
    fixed = fixed_work(tally.heard() for tally in sums.tallies.values())
    shares = defaultdict[str, Share](lambda: Share(fixed=fixed))
    for key in look.devices | sums.tallies.keys() | sums.left(()).keys():
        shares[key].done = sums.tallies.get(key) or Tally()
    if not look.is_over:
        # Of two that seem to work on one file the later is believed, and of two files in one hand the later.
        held = {each.file: each for each in sorted(look.in_hand, key=_by_time)}
        taken = {place for file in look.failed if (place := sums.undone(file)) is not None}
        for holder in sorted(held.values(), key=_by_time):
            place = sums.undone(holder.file)
            if place is not None and place not in taken:
                shares[holder.device].has_in_hand(holder, sums.work(place))
                taken.add(place)
        for owner, left in sums.left(taken).items():
            shares[owner].has_waiting(left)
    return dict(sorted(shares.items()))


def _by_time(held: InHand) -> tuple[int, InHand]:
    return held.since_ns, held
