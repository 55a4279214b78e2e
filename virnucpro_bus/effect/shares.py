"""The share of each device in a host's work at a moment: what it has done, works on, and has pending. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from statistics import median
from typing import NamedTuple

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect.device_totals import DeviceTotals
from virnucpro_bus.effect.duration_model import Progress
from virnucpro_bus.effect.totals import Remaining, TotalsCache, WorkTotals
from virnucpro_bus.effect.work_log import WorkLog
from virnucpro_bus.events.run_events import RunStarted
from virnucpro_bus.events.vocabulary import Device

LEAST_SHARE_DONE = 0.1
"""Before that progress does not show how long a file takes: its range would be too wide to be of use."""


class InProgress(NamedTuple):
    """A file that a device works on, since a time on the host's monotonic clock."""

    device: str
    file: str
    since_ns: int
    share_done: float = 0.0
    """The share of its sequences that was done at `reported_ns`; 0: none, or not reported."""
    reported_ns: int = 0

    @property
    def progress(self) -> Progress | None:
        """How far it is; None while that does not show how long it takes."""
        if self.share_done < LEAST_SHARE_DONE or self.reported_ns <= self.since_ns:
            return None
        return Progress(self.share_done, (self.reported_ns - self.since_ns) / NANOSECONDS)


class Load(NamedTuple):
    """A worker that loads its job, or has loaded it. Times are on the host's monotonic clock."""

    device: str
    start_ns: int
    end_ns: int
    """When it was ready; the present while it loads; if it ended before it was ready, when it was last heard."""
    is_ready: bool

    @property
    def seconds(self) -> float:
        """How long it took so far."""
        return (self.end_ns - self.start_ns) / NANOSECONDS


@dataclass(frozen=True)
class RunStatus:
    """The state of a host's run at a moment, apart from its work log. Devices are named by key.

    Times are by the host's monotonic clock.
    """

    devices: frozenset[str]
    """The devices that take part in the run …"""
    living: frozenset[str]
    """… and those to which files can still be assigned."""
    up_ns: Mapping[str, int]
    """When each device was first ready for files in this session; without those that never were."""
    gone_ns: Mapping[str, int]
    """When each device lost its last worker; only devices that have no worker any more."""
    in_progress: Sequence[InProgress]
    failed: Collection[str]
    """Files that will not be tried again."""
    is_stealing: bool
    started_ns: int
    """When the session was announced; 0 if unknown."""
    now_ns: int
    is_over: bool
    """Whether no more files will be assigned."""
    files_total: int = 0
    """The files of the run, including those completed in earlier sessions; 0 if unknown."""
    loads: Sequence[Load] = ()
    """The workers that have loaded their job in this session, or do, as far as they have reported it."""
    loading: frozenset[str] = frozenset()
    """The devices of which every worker still loads."""
    joined_ns: Mapping[str, int] = field(default_factory=dict)
    """When those of the devices have joined that were not there from the start of the session."""
    deserted: frozenset[str] = frozenset()
    """Those without a ready worker since the last one was lost, from whose queues files were stolen since then.

    Nobody else would have done these."""


@dataclass(frozen=True)
class HostWork:
    """The work of one host at a moment. The log is the fold's own, not a copy."""

    run: RunStarted | None
    log: WorkLog
    status: RunStatus
    devices: tuple[Device, ...]
    """The devices of the session, those that have joined it after its start last, in that order."""


@dataclass(slots=True)
class DeviceShare:
    """One device's part in the work of the session. Work is as estimated, plus `fixed` per file."""

    done: DeviceTotals = field(default_factory=DeviceTotals)
    """What it has completed and failed; its `work` is without `fixed`."""
    fixed: int = 0
    """The fixed cost of every file, as work."""
    remaining: Remaining = field(default_factory=Remaining)
    """The files that were first assigned to it and that no device has started; their work is without `fixed`."""
    in_progress: InProgress | None = None
    """The file that it works on; None: none."""
    started_work: int = 0
    """The work of that file, without `fixed`; 0 if it is not known."""

    def with_fixed(self, fixed: int) -> DeviceShare:
        """Return the same with another fixed cost of every file."""
        return DeviceShare(self.done, fixed, self.remaining, self.in_progress, self.started_work)

    @property
    def progress(self) -> Progress | None:
        """How far that file is; None while that is not known."""
        return None if self.in_progress is None else self.in_progress.progress

    @property
    def in_progress_work(self) -> int:
        """The work of the file that it works on; 0 without one."""
        return self.started_work + self.fixed if self.in_progress is not None else 0

    @property
    def pending(self) -> int:
        """The work that was first assigned to it and that no device has started."""
        return self.remaining.work + self.fixed * self.remaining.files

    @property
    def biggest_pending(self) -> int:
        """The biggest file of that."""
        return self.remaining.biggest + self.fixed if self.remaining.files else 0

    @property
    def biggest_left(self) -> int:
        """The work of the biggest file that is pending or in progress."""
        return max(self.biggest_pending, self.in_progress_work)

    @property
    def first_ns(self) -> int | None:
        """When it started its first file; None before that."""
        starts = (self.done.first_ns, None if self.in_progress is None else self.in_progress.since_ns)
        return min((start for start in starts if start is not None), default=None)

    @property
    def work(self) -> int:
        """The work of its completed files."""
        return self.done.work + self.fixed * self.done.files


def totals_of(log: WorkLog, status: RunStatus, cache: TotalsCache | None = None) -> WorkTotals | None:
    """Add up the session's part of the log; None if the plan, or the completed work, is not fully known."""
    if not log.has_plan or log.dropped or log.clashes:
        return None
    totals = (cache or TotalsCache()).of(log, status.started_ns)
    return totals if totals.known >= status.files_total else None


def shares_of(totals: WorkTotals, status: RunStatus) -> dict[str, DeviceShare]:
    """Return every device's share, by key in order, without a fixed cost.

    A file that will not be done (any more) is in none of them.
    """
    shares = defaultdict[str, DeviceShare](DeviceShare)
    for key in status.devices | totals.devices.keys() | totals.owners:
        shares[key].done = totals.devices.get(key) or DeviceTotals()
    if not status.is_over:
        # The later one counts, of two devices that report the same file, and of two files of one device.
        latest = {each.file: each for each in sorted(status.in_progress, key=_by_time)}
        taken = {at for file in status.failed if (at := totals.pending_position(file)) is not None}
        for file in sorted(latest.values(), key=_by_time):
            position = totals.pending_position(file.file)
            if position is not None and position not in taken:
                share = shares[file.device]
                share.in_progress, share.started_work = file, totals.work(position)
                taken.add(position)
        for owner, remaining in totals.remaining(taken).items():
            shares[owner].remaining = remaining
    return dict(sorted(shares.items()))


def loading_seconds(loads: Iterable[Load]) -> dict[str, float]:
    """How long the workers of each device have loaded their jobs, added up; by key in order."""
    found = defaultdict[str, list[float]](list)
    for load in loads:
        found[load.device].append(load.seconds)
    return {key: math.fsum(found[key]) for key in sorted(found)}


def expected_ready_ns(status: RunStatus) -> dict[str, int]:
    """When the devices that load are expected to be ready, by how long others took; none before one is known."""
    loads = sorted(status.loads, key=attrgetter("start_ns"))
    took = [load.end_ns - load.start_ns for load in loads if load.is_ready]
    # Of the workers of one device the last one counts: those before it have died.
    began = {load.device: load.start_ns for load in loads if load.device in status.loading}
    return {key: start_ns + round(median(took)) for key, start_ns in began.items()} if took else {}


def _by_time(file: InProgress) -> tuple[int, InProgress]:
    return file.since_ns, file
