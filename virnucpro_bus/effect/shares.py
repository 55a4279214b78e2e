"""Who has done, holds, or was first given what: the book of a host's work as it stands at a moment. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from virnucpro_bus.effect.device_totals import DeviceTotals
from virnucpro_bus.effect.duration_model import fixed_work
from virnucpro_bus.effect.totals import Remaining, TotalsCache, WorkTotals
from virnucpro_bus.effect.work_log import WorkLog
from virnucpro_bus.events.vocabulary import RunStarted


class InProgress(NamedTuple):
    """A file that a device works on, since a time on the host's monotonic clock."""

    device: str
    file: str
    since_ns: int


@dataclass(frozen=True)
class RunStatus:
    """What else is known of the run at the moment of the look, besides its book."""

    devices: frozenset[str]
    """Those that take part, by key …"""
    living: frozenset[str]
    """… and those that can be given files."""
    up_ns: Mapping[str, int]
    """When each first could do files in this session, by key; those that never could are not in it."""
    gone_ns: Mapping[str, int]
    """When each of those that have no worker any more, having lost the last, had lost it, by key."""
    in_progress: Sequence[InProgress]
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
class HostWork:
    """One host's part, for those who figure something out from it; the book is the fold's own."""

    run: RunStarted | None
    log: WorkLog
    status: RunStatus


@dataclass
class DeviceShare:
    """One device's part in the work of the session; work is as estimated, and with what every file costs."""

    done: DeviceTotals = field(default_factory=DeviceTotals)
    """What it has put down."""
    fixed: int = 0
    """What every file costs."""
    pending: int = 0
    """The work that was first given to it and that nobody has begun …"""
    biggest_pending: int = 0
    """… and the biggest file of that."""
    in_progress: InProgress | None = None
    in_progress_work: int = 0

    def has_in_progress(self, held: InProgress, work: int) -> None:
        """It works on a file."""
        self.in_progress, self.in_progress_work = held, work + self.fixed

    def has_pending(self, left: Remaining) -> None:
        """Files that nobody has begun were given to it."""
        self.pending = left.work + self.fixed * left.files
        self.biggest_pending = left.biggest + self.fixed if left.files else 0

    @property
    def biggest_left(self) -> int:
        """The biggest file that waits, or in hand."""
        return max(self.biggest_pending, self.in_progress_work)

    @property
    def first_ns(self) -> int | None:
        """When it took its first file; None before it has."""
        starts = (self.done.first_ns, None if self.in_progress is None else self.in_progress.since_ns)
        return min((start for start in starts if start is not None), default=None)

    @property
    def work(self) -> int:
        """Of the completed files."""
        return self.done.work + self.fixed * self.done.files

    @property
    def rate(self) -> float | None:
        """Work per second; None when it has completed nothing."""
        return self.done.rate(self.fixed)


def totals_of(book: WorkLog, look: RunStatus, cache: TotalsCache | None = None) -> WorkTotals | None:
    """The session's part of the book, added up; None where the plan, or what was done, is not known as a whole."""
    if not book.assigned or book.passed_over:
        return None
    sums = (cache or TotalsCache()).of(book, look.started_ns)
    return sums if sums.known >= look.files_total else None


def shares_of(sums: WorkTotals, look: RunStatus) -> dict[str, DeviceShare]:
    """Every device's share, by key in order.

    A file that nobody will do (any more) is in none of them.
    """
    fixed = fixed_work(tally.sampled_files() for tally in sums.devices.values())
    shares = defaultdict[str, DeviceShare](lambda: DeviceShare(fixed=fixed))
    for key in look.devices | sums.devices.keys() | sums.remaining(()).keys():
        shares[key].done = sums.devices.get(key) or DeviceTotals()
    if not look.is_over:
        # Of two that seem to work on one file the later is believed, and of two files in one hand the later.
        held = {each.file: each for each in sorted(look.in_progress, key=_by_time)}
        taken = {place for file in look.failed if (place := sums.pending_position(file)) is not None}
        for holder in sorted(held.values(), key=_by_time):
            place = sums.pending_position(holder.file)
            if place is not None and place not in taken:
                shares[holder.device].has_in_progress(holder, sums.work(place))
                taken.add(place)
        for owner, left in sums.remaining(taken).items():
            shares[owner].has_pending(left)
    return dict(sorted(shares.items()))


def _by_time(held: InProgress) -> tuple[int, InProgress]:
    return held.since_ns, held
