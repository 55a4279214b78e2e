"""A run at a moment under given assumptions: when it ends, when it would have without stealing, the lower bound.

`effect.py` holds the formulas, and asks this once for what is likely and once for either end of every doubt. Pure.
Times are seconds from the start of the first file; devices are named by key.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from operator import attrgetter
from statistics import fmean, median

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect.assumptions import Assumptions
from virnucpro_bus.effect.duration_model import (
    OVERRUN,
    by_size_and_progress,
    remaining_quantile,
    remaining_seconds,
)
from virnucpro_bus.effect.handing_out import shared_end
from virnucpro_bus.effect.shares import DeviceShare, RunStatus
from virnucpro_bus.effect.speeds import factor_of
from virnucpro_bus.effect.totals import WorkTotals
from virnucpro_bus.effect.work_log import Steal

_DEPENDS_ON = {
    "_paces": ("speeds", "overrun"),
    "free": ("speeds", "overrun", "curve", "quantile"),
    "bound": ("speeds",),
}
"""What is computed of every device, and the assumptions that change it."""


class Outlook:
    """One run at one moment under one set of assumptions. Not thread-safe."""

    def __init__(
        self, totals: WorkTotals, status: RunStatus, shares: Mapping[str, DeviceShare], assumed: Assumptions
    ) -> None:
        """`shares` are those of `shares_of`."""
        self._totals = totals
        self._status = status
        self.assumed = assumed
        self.speeds = assumed.speeds.by_key
        self.shares = {key: replace(share, fixed=assumed.fixed) for key, share in shares.items()}
        done = [share.done for share in self.shares.values()]
        self.gap = median([gap for each in done if (gap := each.gap_seconds) is not None] or [0.0])
        """The time between two files of a device: the median over devices of each one's mean."""
        self.failed_seconds = sum(each.failed_ns for each in done) / NANOSECONDS
        """How long all failed attempts took."""
        self._failed_attempts = sum(each.attempts for each in done)
        self._took_seconds = sum(each.took_ns for each in done) / NANOSECONDS
        started = {key: at_ns for key, share in self.shares.items() if (at_ns := share.first_ns) is not None}
        self._has_worked = started.keys()
        self.has_begun = bool(started)
        # A duration that is too long to be true would move the start to before the run.
        self._zero_ns = max(min(started.values(), default=status.now_ns), status.started_ns)
        ends = [each.last_ns for each in done if each.last_ns is not None]
        self._pending = {key: pending for key, share in self.shares.items() if (pending := share.pending)}
        """The pending work of those whose first assignment is not all started."""
        is_working = any(share.in_progress for share in self.shares.values())
        self.is_done = status.is_over or not (self._pending or is_working)
        self.now = self.since_zero(max(ends, default=status.now_ns) if self.is_done else status.now_ns)
        self._joined = {key: min(self.now, self.since_zero(at_ns)) for key, at_ns in status.joined_ns.items()}
        self.finish = {key: self._last_at_work(key, share) for key, share in self.shares.items()}
        """When each device last had a file in progress; of one that had none, when it has joined the run."""
        self._loaded = self._expect_loaded()

    def under(self, assumed: Assumptions) -> Outlook:
        """Return the same run under other assumptions, with the same fixed cost.

        What they do not change is not computed once more: most doubts are about few of the figures.
        """
        other = copy(self)
        other.assumed, other.speeds = assumed, assumed.speeds.by_key
        for computed, assumptions in _DEPENDS_ON.items():
            if any(getattr(assumed, each) is not getattr(self.assumed, each) for each in assumptions):
                other.__dict__.pop(computed, None)
        return other

    def since_zero(self, at_ns: int) -> float:
        """A time of the host's monotonic clock in seconds from the start of the first file."""
        return max(0, at_ns - self._zero_ns) / NANOSECONDS

    # One device, as it is, with stealing.

    def joined(self, key: str) -> float:
        """When it has joined the run; 0 for one that was there from the start."""
        return self._joined.get(key, 0.0)

    def _last_at_work(self, key: str, share: DeviceShare) -> float:
        if share.in_progress is not None:
            return self.now
        return self.joined(key) if share.done.last_ns is None else self.since_zero(share.done.last_ns)

    def busy(self, key: str) -> float:
        """How long it has had a file in progress."""
        return self.shares[key].done.done_seconds + self._time_in_progress(self.shares[key])

    def _time_in_progress(self, share: DeviceShare) -> float:
        """How long it has worked on its file in progress; 0 without one."""
        if share.in_progress is None:
            return 0.0
        return max(0.0, self.now - self.since_zero(share.in_progress.since_ns))

    def _rate(self, key: str) -> float:
        """Its present work per second; 0 while no speeds are known."""
        speed = self.speeds.get(key)
        return 0.0 if speed is None else speed.rate

    @cached_property
    def _paces(self) -> dict[str, float]:
        """The expected work per second of each from now on, without the time between files."""
        return {key: self._pace(key, share) for key, share in self.shares.items()}

    def _pace(self, key: str, share: DeviceShare) -> float:
        so_far, rate = self._time_in_progress(share), self._rate(key)
        if not so_far:
            return rate
        # A file that exceeds the expected time by more than files do shows that its device is slower now; the
        # later it is expected to end, the slower.
        slack = factor_of(self.assumed.speeds.noise) * (1 + OVERRUN) / (1 + self.assumed.overrun)
        return min(rate, slack * share.in_progress_work / so_far)

    @cached_property
    def free(self) -> dict[str, float]:
        """When each has finished, or is expected to finish, its file in progress."""
        return {key: self._free_at(key, share) for key, share in self.shares.items()}

    def _free_at(self, key: str, share: DeviceShare) -> float:
        if share.in_progress is None:
            return self.finish[key]
        rate, so_far, speeds = self._rate(key), self._time_in_progress(share), self.assumed.speeds
        whole, error = share.in_progress_work / rate if rate else so_far, speeds.cautious_noise
        noise, reported, progress = speeds.noise, 0.0, share.progress
        if progress is not None and rate:
            # By its size, it is not known how late a late file will be.
            error = math.hypot(error, self.speeds[key].error, OVERRUN if so_far > whole else 0.0)
            by_size = so_far + remaining_seconds(whole, so_far, noise, self.assumed.overrun)
            whole, error = by_size_and_progress(by_size, error, progress, self.assumed.curve)
            noise, reported = error if noise else 0.0, progress.seconds
        quantile = self.assumed.quantile
        if quantile is not None and quantile[0] == key and whole:
            return self.now + remaining_quantile(whole, so_far, error, quantile[1], reported)
        return self.now + remaining_seconds(whole, so_far, noise, self.assumed.overrun, reported)

    def _expect_loaded(self) -> dict[str, float]:
        """When those that load are expected to be ready, by how long others took; none before one is known."""
        loads = sorted(self._status.loads, key=attrgetter("start_ns"))
        took = [load.seconds for load in loads if load.is_ready]
        # Of the workers of one device the last one counts: those before it have died.
        began = {load.device: load.start_ns for load in loads if load.device in self._status.loading}
        if not took or not began:
            return {}
        typical = median(took)
        return {key: (at_ns - self._zero_ns) / NANOSECONDS + typical for key, at_ns in began.items()}

    def _next_start(self, key: str) -> float:
        """When it is expected to be able to start another file."""
        return max(self.now, self.free[key], self._loaded.get(key, 0.0))

    def free_for_own(self, key: str) -> float | None:
        """When it is free for its own files, or first was ready if it never had one; None: unknown, or never."""
        if key in self._status.deserted:
            return None
        if key in self._has_worked:
            return self.free[key]
        up_ns = self._status.up_ns.get(key)
        return None if up_ns is None else self.since_zero(up_ns)

    def own_pending_seconds(self, key: str) -> float:
        """How long it would take for the pending files that were first assigned to it."""
        pending = self._pending.get(key)
        if pending is None:
            return 0.0
        share = self.shares[key]
        work = self._likely_work(pending, share.biggest_pending)
        return work / self._paces[key] + share.remaining.files * self._next_gap

    @property
    def _next_gap(self) -> float:
        return self.gap * self.assumed.next_gaps

    def _likely_work(self, work: float, biggest: float) -> float:
        """What so much work in files of at most that size turns out to be."""
        deviation = self.assumed.deviation * self.assumed.speeds.cautious_noise * math.sqrt(biggest * work)
        return max(0.0, work + deviation)

    # The run.

    def expected(self) -> float | None:
        """When all files are done; None if unknown."""
        if self.is_done:
            return self.now
        if not self.speeds:
            return None
        working = [
            self.free[key] - self.now for key, share in self.shares.items() if share.in_progress is not None
        ]
        # Of several files in progress the last one ends later than is expected of each: half of an overhang.
        end = max(self.free.values()) + (self._overhang(working) / 2 if working else 0.0)
        pending = sum(self._pending.values())
        if not pending:
            return end
        if not self._status.is_stealing:
            own = {key: self.own_pending_seconds(key) for key in self._pending}
            return max([end, *(self._next_start(key) + seconds for key, seconds in own.items() if seconds)])
        return self._shared_out(pending, end)

    def _shared_out(self, pending: float, end: float) -> float | None:
        """When all is done if the pending work is shared out; `end`: when what is in progress is."""
        living, assumed = self._status.living & self.free.keys(), self.assumed
        if not living:
            return None
        mean = pending / sum(share.remaining.files for share in self.shares.values())
        biggest = max(share.biggest_pending for share in self.shares.values())
        failed = assumed.failures * self.failed_seconds
        # A failed attempt takes time from all devices, and the last one holds up the end.
        share_failed = failed / self._took_seconds if self._took_seconds else 0.0
        files = self._likely_work(pending, biggest) * (1 + share_failed) / mean
        workers = [(self._next_start(key), mean / self._paces[key] + self._next_gap) for key in living]
        shared = shared_end(files, workers, assumed.grain, is_greedy=assumed.is_greedy)
        if assumed.is_greedy:
            shared = max(shared, shared_end(files, workers, max(1.0, biggest / mean), is_greedy=True))
        overhang = self._overhang([seconds for _, seconds in workers])
        earliest = min(self._next_start(key) + biggest / self._paces[key] for key in living)
        return max(end, shared + overhang, earliest) + (failed / self._failed_attempts if failed else 0.0)

    def _overhang(self, seconds: Sequence[float]) -> float:
        """How much later than the mean the last of several devices ends, whose files take so many seconds each."""
        return self.assumed.overhang * self.assumed.speeds.noise * math.log(len(seconds)) * fmean(seconds)

    def without_stealing(self) -> tuple[float | None, float | None]:
        """When all files would have been done without a single steal, and the least that is known; None: unknown.

        The first is unknown, and the second is not, if files were stolen from a device that was never ready, or
        whose workers were gone for good.
        """
        corrections: dict[str, list[float]] = {key: [] for key in self.shares}
        victims = set()
        gap = self.gap * self.assumed.other_gaps

        def undo(thief: str, victim: str, files: int, seconds: float, work: float) -> None:
            rate = self._rate(victim)
            corrections[thief].append(-seconds - files * self.gap)
            corrections.setdefault(victim, []).append((work / rate if rate else seconds) + files * gap)
            victims.add(victim)

        for (thief, victim), moved in self._totals.moved.items():
            undo(thief, victim, moved.files, moved.took_ns / NANOSECONDS, moved.work(self.speeds.get(thief)))
        for steal in self.moves_in_progress:
            seconds = self._expected_in_progress(steal.thief)
            undo(steal.thief, steal.victim, 1, seconds, seconds * self._rate(steal.thief))
        ends, is_known = [0.0], True
        for key, its_corrections in corrections.items():
            free = self.free_for_own(key)
            is_known = is_known and (free is not None or key not in victims)
            pending = self.own_pending_seconds(key)
            if key in victims or pending or key in self._has_worked:
                # A device that was never ready, or has lost its worker, will not be before now.
                parts = [self.now if free is None else free, pending, *its_corrections]
                ends.append(math.fsum(parts) + (self._other_gaps(key) if victims else 0.0))
        return (max(ends) if is_known else None), max(ends)

    def _other_gaps(self, key: str) -> float:
        """How much more time another run would lose between a device's files, and by failed attempts."""
        files = self.shares[key].done.files if key in self.shares else 0
        return (self.assumed.other_gaps - 1) * (files * self.gap + self.failed_seconds)

    @cached_property
    def bound(self) -> float | None:
        """A lower bound of the makespan, for any distribution of the files over the devices; None if unknown."""
        if not self.speeds:
            return None
        shares = self.shares
        unfinished = sum(share.pending + share.in_progress_work for share in shares.values())
        total = unfinished + sum(share.work for share in shares.values())
        slowest = {key: min(rate for _, rate in self.speeds[key].phases) for key in shares}
        done = {key: share.done.longest_ns / NANOSECONDS * slowest[key] for key, share in shares.items()}
        biggest = max(max(share.biggest_left, done[key]) for key, share in shares.items())
        fastest = {key: max(rate for _, rate in self.speeds[key].phases) for key in shares}
        return max(self._time_for(total), min(self.joined(key) + biggest / fastest[key] for key in shares))

    def _time_for(self, work: float) -> float:
        """When all devices, at the speeds that they had and have since they came, would have done so much work."""
        speeds = {key: self.speeds[key] for key in self.shares}
        changes = {self.since_zero(at_ns) for each in speeds.values() for at_ns, _ in each.phases if at_ns}
        joins = {seconds for seconds in self._joined.values() if seconds}
        for start, stop in pairwise([0.0, *sorted(changes | joins), math.inf]):
            after_ns = self._zero_ns + round(start * NANOSECONDS) + 1
            present = (each for key, each in speeds.items() if self.joined(key) <= start)
            rate = math.fsum(each.rate_until(after_ns) for each in present)
            if rate and work <= (stop - start) * rate:
                return start + work / rate
            work -= (stop - start) * rate
        raise AssertionError("the last time has no end")

    # Steals.

    @cached_property
    def moves_in_progress(self) -> list[Steal]:
        """The steals of files that their thieves work on."""
        files = [
            (key, share.in_progress.file) for key, share in self.shares.items() if share.in_progress is not None
        ]
        steals = [(key, self._totals.open_steal(file)) for key, file in files]
        return [steal for key, steal in steals if steal is not None and steal.thief == key]

    def _expected_in_progress(self, key: str) -> float:
        """How long the device's file in progress is expected to take in all; 0 without one."""
        file = self.shares[key].in_progress
        return 0.0 if file is None else self.free[key] - self.since_zero(file.since_ns)

    def on_victim(self, steal: Steal, seconds: float, end_ns: int) -> float:
        """How long a stolen file, which took its thief so long until then, would take its owner."""
        thief, victim = self.speeds.get(steal.thief), self.speeds.get(steal.victim)
        return seconds if thief is None or victim is None else seconds * thief.rate_until(end_ns) / victim.rate
