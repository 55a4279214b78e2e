"""Where each device of a run stands at a moment, under given assumptions: how fast it is, and when it is free.

`outlook.py` tells what follows for the run. Pure. Times are seconds from the start of the first file; devices are
named by key.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import copy
from functools import cached_property
from statistics import median
from typing import ClassVar, Self

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect.assumptions import Assumptions
from virnucpro_bus.effect.duration_model import (
    OVERRUN,
    by_size_and_progress,
    remaining_quantile,
    remaining_seconds,
)
from virnucpro_bus.effect.shares import DeviceShare, RunStatus, expected_ready_ns
from virnucpro_bus.effect.speeds import factor_of
from virnucpro_bus.effect.totals import WorkTotals

PACES = frozenset({"fixed", "speeds", "overrun"})
FREE = PACES | {"curve", "quantile"}
OWN_PENDING = PACES | {"next_gaps", "deviation"}


class Standing:
    """The devices of one run at one moment under one set of assumptions. Not thread-safe."""

    DEPENDS_ON: ClassVar[Mapping[str, frozenset[str]]] = {
        "paces": PACES,
        "free": FREE,
        "next_starts": FREE,
        "own_pending": OWN_PENDING,
    }
    """What is computed of all devices, and the assumptions that change it."""

    def __init__(
        self, totals: WorkTotals, status: RunStatus, shares: Mapping[str, DeviceShare], assumed: Assumptions
    ) -> None:
        """`shares` are those of `shares_of`."""
        self.totals = totals
        self.status = status
        self.assumed = assumed
        self.speeds = assumed.speeds.by_key
        self.shares = shares
        self._add_fixed_cost()
        done = [share.done for share in self.shares.values()]
        self.gap = median([gap for each in done if (gap := each.gap_seconds) is not None] or [0.0])
        """The time between two files of a device: the median over devices of each one's mean."""
        self.failed_seconds = sum(each.failed_ns for each in done) / NANOSECONDS
        """How long all failed attempts took."""
        self.failed_attempts = sum(each.attempts for each in done)
        self.took_seconds = sum(each.took_ns for each in done) / NANOSECONDS
        started = {key: at_ns for key, share in self.shares.items() if (at_ns := share.first_ns) is not None}
        self.has_worked = started.keys()
        self.has_begun = bool(started)
        # A duration that is too long to be true would move the start to before the run.
        self._zero_ns = max(min(started.values(), default=status.now_ns), status.started_ns)
        ends = [each.last_ns for each in done if each.last_ns is not None]
        self.working = [key for key, share in self.shares.items() if share.in_progress is not None]
        self.living = [key for key in self.shares if key in status.living]
        self.is_done = status.is_over or not (self.pending or self.working)
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
        self.pending = {
            key: (pending, share.biggest_pending, share.remaining.files)
            for key, share in self.shares.items()
            if (pending := share.pending)
        }
        """The pending work of those whose first assignment is not all started, its biggest file, and the files."""

    def under(self, assumed: Assumptions) -> Self:
        """Return the same run under other assumptions.

        What they do not change is not computed once more: most doubts are about few of the figures.
        """
        other = copy(self)
        other.assumed, other.speeds = assumed, assumed.speeds.by_key
        for computed, assumptions in self.DEPENDS_ON.items():
            if any(getattr(assumed, each) is not getattr(self.assumed, each) for each in assumptions):
                other.__dict__.pop(computed, None)
        if assumed.fixed != self.assumed.fixed:
            other._add_fixed_cost()
        elif (assumed.overrun, assumed.curve) == (self.assumed.overrun, self.assumed.curve):
            # Nearly every doubt about devices is about one.
            other.paces, other.free = self.paces, self.free
            if changed := self._devices_that_differ(assumed):
                other.paces = self.paces | {key: other._pace(key, self.shares[key]) for key in changed}
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
        files = [(key, self.shares[key].in_progress) for key in self.working]
        return {
            key: max(0.0, self.now - self.since_zero(file.since_ns)) for key, file in files if file is not None
        }

    def rate(self, key: str) -> float:
        """Its present work per second; 0 while no speeds are known."""
        speed = self.speeds.get(key)
        return 0.0 if speed is None else speed.rate

    @cached_property
    def paces(self) -> dict[str, float]:
        """The expected work per second of each from now on, without the time between files."""
        return {key: self._pace(key, share) for key, share in self.shares.items()}

    def _pace(self, key: str, share: DeviceShare) -> float:
        so_far, rate = self._time_in_progress.get(key, 0.0), self.rate(key)
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
        rate, so_far, speeds = self.rate(key), self._time_in_progress[key], self.assumed.speeds
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
    def next_starts(self) -> dict[str, float]:
        """When each is expected to be able to start another file."""
        now, loaded = self.now, self._loaded
        return {key: max(now, at, loaded.get(key, 0.0)) for key, at in self.free.items()}

    def free_for_own(self, key: str) -> float | None:
        """When it is free for its own files, or first was ready if it never had one; None: unknown, or never."""
        if key in self.status.deserted:
            return None
        if key in self.has_worked:
            return self.free[key]
        up_ns = self.status.up_ns.get(key)
        return None if up_ns is None else self.since_zero(up_ns)

    def own_pending_seconds(self, key: str) -> float:
        """How long it would take for its part of `own_pending`."""
        return self.own_pending.get(key, 0.0)

    @cached_property
    def own_pending(self) -> dict[str, float]:
        """How long the pending files would take that were first assigned to each; without those that have none."""
        likely, paces, gap = self.likely_work, self.paces, self.next_gap
        return {
            key: likely(work, biggest) / paces[key] + files * gap
            for key, (work, biggest, files) in self.pending.items()
        }

    @property
    def next_gap(self) -> float:
        """The time between two files of a device from now on."""
        return self.gap * self.assumed.next_gaps

    def likely_work(self, work: float, biggest: float) -> float:
        """What so much work in files of at most that size turns out to be."""
        deviation = self.assumed.deviation * self.assumed.speeds.cautious_noise * math.sqrt(biggest * work)
        return max(0.0, work + deviation)
