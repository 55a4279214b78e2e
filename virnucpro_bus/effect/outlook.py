"""A run at a moment under given assumptions: when it ends, when it would have without stealing, the lower bound.

`effect.py` holds the formulas, and asks this once for what is likely and once for either end of every doubt. Pure.
Times are seconds from the start of the first file; devices are named by key.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import copy
from functools import cached_property
from statistics import fmean, median

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect.assumptions import Assumptions
from virnucpro_bus.effect.duration_model import (
    OVERRUN,
    by_size_and_progress,
    remaining_quantile,
    remaining_seconds,
)
from virnucpro_bus.effect.handing_out import end_at_rates, shared_end
from virnucpro_bus.effect.shares import DeviceShare, RunStatus, expected_ready_ns
from virnucpro_bus.effect.speeds import factor_of
from virnucpro_bus.effect.totals import WorkTotals
from virnucpro_bus.effect.work_log import Steal

_PACES = frozenset({"fixed", "speeds", "overrun"})
_FREE = _PACES | {"curve", "quantile"}
_OWN_PENDING = _PACES | {"next_gaps", "deviation"}
_SHARED_OUT = _OWN_PENDING | {"overhang", "grain", "is_greedy", "failures"}
_DEPENDS_ON = {
    "_paces": _PACES,
    "free": _FREE,
    "_next_starts": _FREE,
    "_own_pending": _OWN_PENDING,
    "_own_ends": _FREE | _OWN_PENDING,
    "_moved": frozenset({"speeds"}),
    "expected": _FREE | _SHARED_OUT,
    "without_stealing": _FREE | _OWN_PENDING | {"other_gaps"},
    "bound": frozenset({"fixed", "speeds"}),
    "_work": frozenset({"fixed"}),
    "_biggest_left": frozenset({"fixed"}),
}
"""What is computed of all devices, and the assumptions that change it."""


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
        self.shares = shares
        self._add_fixed_cost()
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
        self._working = [key for key, share in self.shares.items() if share.in_progress is not None]
        self._living = [key for key in self.shares if key in status.living]
        self.is_done = status.is_over or not (self._pending or self._working)
        self.now = self.since_zero(max(ends, default=status.now_ns) if self.is_done else status.now_ns)
        self._joined = {key: min(self.now, self.since_zero(at_ns)) for key, at_ns in status.joined_ns.items()}
        self.finish = {key: self._last_at_work(key, share) for key, share in self.shares.items()}
        """When each device last had a file in progress; of one that had none, when it has joined the run."""
        self._loaded = {
            key: (at_ns - self._zero_ns) / NANOSECONDS for key, at_ns in expected_ready_ns(status).items()
        }
        """When those that load are expected to be ready."""

    def _add_fixed_cost(self) -> None:
        self.shares = {key: share.with_fixed(self.assumed.fixed) for key, share in self.shares.items()}
        self._pending = {
            key: (pending, share.biggest_pending, share.remaining.files)
            for key, share in self.shares.items()
            if (pending := share.pending)
        }
        """The pending work of those whose first assignment is not all started, its biggest file, and the files."""

    def under(self, assumed: Assumptions) -> Outlook:
        """Return the same run under other assumptions.

        What they do not change is not computed once more: most doubts are about few of the figures.
        """
        other = copy(self)
        other.assumed, other.speeds = assumed, assumed.speeds.by_key
        for computed, assumptions in _DEPENDS_ON.items():
            if any(getattr(assumed, each) is not getattr(self.assumed, each) for each in assumptions):
                other.__dict__.pop(computed, None)
        if assumed.fixed != self.assumed.fixed:
            other._add_fixed_cost()
        elif (assumed.overrun, assumed.curve) == (self.assumed.overrun, self.assumed.curve):
            # Nearly every doubt about devices is about one.
            other._paces, other.free = self._paces, self.free
            if changed := self._devices_that_differ(assumed):
                other._paces = self._paces | {key: other._pace(key, self.shares[key]) for key in changed}
                other.free = self.free | {key: other._free_at(key, self.shares[key]) for key in changed}
        return other

    def _devices_that_differ(self, assumed: Assumptions) -> set[str]:
        """The devices about which something else is assumed."""
        changed = set[str]()
        if assumed.speeds is not self.assumed.speeds:
            changed = {key for key, speed in assumed.speeds.by_key.items() if speed is not self.speeds[key]}
        if assumed.quantile is not self.assumed.quantile:
            changed |= {each[0] for each in (assumed.quantile, self.assumed.quantile) if each is not None}
        return changed

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
        return self.shares[key].done.done_seconds + self._time_in_progress.get(key, 0.0)

    @cached_property
    def _time_in_progress(self) -> dict[str, float]:
        """How long those that work on a file have done so."""
        files = [(key, self.shares[key].in_progress) for key in self._working]
        return {
            key: max(0.0, self.now - self.since_zero(file.since_ns)) for key, file in files if file is not None
        }

    def _rate(self, key: str) -> float:
        """Its present work per second; 0 while no speeds are known."""
        speed = self.speeds.get(key)
        return 0.0 if speed is None else speed.rate

    @cached_property
    def _paces(self) -> dict[str, float]:
        """The expected work per second of each from now on, without the time between files."""
        return {key: self._pace(key, share) for key, share in self.shares.items()}

    def _pace(self, key: str, share: DeviceShare) -> float:
        so_far, rate = self._time_in_progress.get(key, 0.0), self._rate(key)
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
        rate, so_far, speeds = self._rate(key), self._time_in_progress[key], self.assumed.speeds
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

    @cached_property
    def _next_starts(self) -> dict[str, float]:
        """When each is expected to be able to start another file."""
        now, loaded = self.now, self._loaded
        return {key: max(now, at, loaded.get(key, 0.0)) for key, at in self.free.items()}

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
        return self._own_pending.get(key, 0.0)

    @cached_property
    def _own_pending(self) -> dict[str, float]:
        likely, paces, gap = self._likely_work, self._paces, self._next_gap
        return {
            key: likely(work, biggest) / paces[key] + files * gap
            for key, (work, biggest, files) in self._pending.items()
        }

    @property
    def _next_gap(self) -> float:
        return self.gap * self.assumed.next_gaps

    def _likely_work(self, work: float, biggest: float) -> float:
        """What so much work in files of at most that size turns out to be."""
        deviation = self.assumed.deviation * self.assumed.speeds.cautious_noise * math.sqrt(biggest * work)
        return max(0.0, work + deviation)

    # The run.

    @cached_property
    def expected(self) -> float | None:
        """When all files are done; None if unknown."""
        if self.is_done:
            return self.now
        if not self.speeds:
            return None
        working = [self.free[key] - self.now for key in self._working]
        # Of several files in progress the last one ends later than is expected of each: half of an overhang.
        end = max(self.free.values()) + (self._overhang(working) / 2 if working else 0.0)
        if not self._pending:
            return end
        if not self._status.is_stealing:
            own = self._own_pending.items()
            return max([end, *(self._next_starts[key] + seconds for key, seconds in own if seconds)])
        return self._shared_out(end)

    def _shared_out(self, end: float) -> float | None:
        """When all is done if the pending work is shared out; `end`: when what is in progress is."""
        living, assumed = self._living, self.assumed
        if not living:
            return None
        pending = sum(work for work, _, _ in self._pending.values())
        biggest = max(biggest for _, biggest, _ in self._pending.values())
        mean = pending / sum(files for _, _, files in self._pending.values())
        failed = assumed.failures * self.failed_seconds
        # A failed attempt takes time from all devices, and the last one holds up the end.
        share_failed = failed / self._took_seconds if self._took_seconds else 0.0
        files = self._likely_work(pending, biggest) * (1 + share_failed) / mean
        starts, paces = ([each[key] for key in living] for each in (self._next_starts, self._paces))
        gap = self._next_gap
        seconds = [mean / pace + gap for pace in paces]
        workers = list(zip(starts, seconds, strict=True))
        shared = shared_end(files, workers, assumed.grain, is_greedy=assumed.is_greedy)
        if assumed.is_greedy:
            shared = max(shared, shared_end(files, workers, max(1.0, biggest / mean), is_greedy=True))
        earliest = min([start + biggest / pace for start, pace in zip(starts, paces, strict=True)])
        last = max(end, shared + self._overhang(seconds), earliest)
        return last + (failed / self._failed_attempts if failed else 0.0)

    def _overhang(self, seconds: Sequence[float]) -> float:
        """How much later than the mean the last of several devices ends, whose files take so many seconds each."""
        return self.assumed.overhang * self.assumed.speeds.noise * math.log(len(seconds)) * fmean(seconds)

    @cached_property
    def without_stealing(self) -> tuple[float | None, float | None]:
        """When all files would have been done without a single steal, and the least that is known; None: unknown.

        The first is unknown, and the second is not, if files were stolen from a device that was never ready, or
        whose workers were gone for good.
        """
        corrections, victims = defaultdict[str, list[float]](list), set[str]()
        gap = self.gap * self.assumed.other_gaps
        for thief, victim, files, seconds, on_victim in [*self._moved, *map(self._moving, self.moves_in_progress)]:
            corrections[thief].append(-seconds - files * self.gap)
            corrections[victim].append(on_victim + files * gap)
            victims.add(victim)
        ends = self._own_ends | {
            key: math.fsum([*self._own_parts(key), *each]) for key, each in corrections.items()
        }
        if victims and self.assumed.other_gaps != 1:
            ends = {key: end + self._other_gaps(key) for key, end in ends.items()}
        latest = max(ends.values(), default=0.0)
        is_known = all(self.free_for_own(victim) is not None for victim in victims)
        return (max(0.0, latest) if is_known else None), max(0.0, latest)

    @cached_property
    def _own_ends(self) -> dict[str, float]:
        """When each ends what it has in progress and its own pending files; of those that have or had any."""
        pending, free, had = self._own_pending, self.free, self._has_worked - self._status.deserted
        return {
            key: free[key] + pending.get(key, 0.0) if key in had else sum(self._own_parts(key))
            for key in self.shares
            if key in self._has_worked or pending.get(key)
        }

    def _own_parts(self, key: str) -> tuple[float, float]:
        """When a device is free for its own files, and how long these take."""
        free = self.free_for_own(key)
        # A device that was never ready, or has lost its worker, will not be before now.
        return self.now if free is None else free, self._own_pending.get(key, 0.0)

    @cached_property
    def _moved(self) -> list[tuple[str, str, int, float, float]]:
        """What was stolen and completed: thief, victim, files, seconds, and how many of them on the victim."""
        return [
            self._move(*pair, moved.files, moved.took_ns / NANOSECONDS, moved.work(self.speeds.get(pair[0])))
            for pair, moved in self._totals.moved.items()
        ]

    def _moving(self, steal: Steal) -> tuple[str, str, int, float, float]:
        """The same of a file that its thief works on."""
        seconds = self._expected_in_progress(steal.thief)
        return self._move(steal.thief, steal.victim, 1, seconds, seconds * self._rate(steal.thief))

    def _move(
        self, thief: str, victim: str, files: int, seconds: float, work: float
    ) -> tuple[str, str, int, float, float]:
        rate = self._rate(victim)
        return thief, victim, files, seconds, work / rate if rate else seconds

    def _other_gaps(self, key: str) -> float:
        """How much more time another run would lose between a device's files, and by failed attempts."""
        files = self.shares[key].done.files if key in self.shares else 0
        return (self.assumed.other_gaps - 1) * (files * self.gap + self.failed_seconds)

    @cached_property
    def bound(self) -> float | None:
        """A lower bound of the makespan, for any distribution of the files over the devices; None if unknown."""
        if not self.speeds:
            return None
        changes = defaultdict[float, list[float]](list)
        fastest, biggest = [], float(self._biggest_left)
        for key, longest in self._longest.items():
            joined, phases = self.joined(key), self.speeds[key].phases
            slow = fast = before = phases[0].rate
            changes[joined].append(before)
            for since_ns, rate in phases[1:]:
                changes[max(joined, self.since_zero(since_ns))] += (rate, -before)
                slow, fast, before = min(slow, rate), max(fast, rate), rate
            biggest = max(biggest, longest * slow)
            fastest.append((joined, fast))
        least = min([joined + biggest / fast for joined, fast in fastest])
        return max(end_at_rates(self._work, changes), least)

    @cached_property
    def _work(self) -> int:
        """The work of all files."""
        return sum(share.pending + share.in_progress_work + share.work for share in self.shares.values())

    @cached_property
    def _biggest_left(self) -> int:
        """The work of the biggest file that is pending or in progress."""
        return max(share.biggest_left for share in self.shares.values())

    @cached_property
    def _longest(self) -> dict[str, float]:
        """How long the longest completed file of each device took, in seconds; 0 without one."""
        return {key: share.done.longest_ns / NANOSECONDS for key, share in self.shares.items()}

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
