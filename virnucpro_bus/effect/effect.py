"""Computes at a moment whether stealing helped, from the plan and the work done so far. Pure.

All times count from the start of the first file: loading the job, which cannot be shared out, is left out.
The formulas, with d, v and t for devices (v a victim, t a thief) and f for a file:

    rate(d)     work done by d / seconds that d took for it; work is as estimated in the plan, at least 1 per file,
                plus the fixed cost of every file (duration_model.py)
    on v(f)     seconds(f) x rate(t) / rate(v) + gap: what a stolen file would have taken on its owner; the ratio
                is 1 if either has completed nothing. gap: the time between two files of a device, the median over
                devices of each one's mean
    alone(d)    finish(d) - sum of (seconds(f) + gap) over what d stole + sum of on d(f) over what it lost
    without     max over d of alone(d); for a device that never had a file, finish(d) is when it first was ready
    bound       max(total work / sum of rates, biggest file / fastest rate); a completed file counts, as the
                biggest, with the work that it turned out to be, seconds(f) x rate(d)
    saved(f)    min(on v(f), finish(v) + on v(f) - end(f)): how much later both the owner and the thief of this one
                file would have been done without this one move

While the run continues finish(d) is an expectation: the file in progress takes its work / pace(d). Pending files
are distributed over all live devices if the policy steals, and stay with their owner if it does not. A device that
has completed nothing is expected to be as fast as the mean of those that have.

    pace(d)     min(rate(d), work in progress / time in progress): a device that exceeds the time that its rate
                predicts is slower now. Such a file is expected to take OVERRUN of its time so far in addition.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean, median

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect.combine import make_effect, unknown_effect
from virnucpro_bus.effect.duration_model import remaining_seconds
from virnucpro_bus.effect.shares import DeviceShare, RunStatus, shares_of, totals_of
from virnucpro_bus.effect.totals import MAX_STEALS_REPORTED, TotalsCache, WorkTotals
from virnucpro_bus.effect.work_log import Steal, WorkLog
from virnucpro_bus.metrics import Effect, StealEffect

DescribeSteal = Callable[[Steal, float | None], StealEffect]
"""Makes the report of a steal, given what it saved in seconds; None: unknown."""


def effect_of(
    log: WorkLog, status: RunStatus, describe: DescribeSteal, cache: TotalsCache | None = None
) -> Effect:
    """Compute the effect of stealing at the moment of `status`.

    All figures but the steals and their number are unknown if the plan is not fully known.
    """
    if (totals := totals_of(log, status, cache)) is not None:
        return _EffectCalculator(totals, status).effect(describe)
    steals = sorted(log.steals.values())
    return make_effect(
        steals=[describe(steal, None) for steal in steals[-MAX_STEALS_REPORTED:]], moves=len(steals)
    )


class _EffectCalculator:
    """Computes one Effect. Times are seconds from the start of the first file; devices are named by key."""

    def __init__(self, totals: WorkTotals, status: RunStatus) -> None:
        self._totals = totals
        self._status = status
        self._shares = shares_of(totals, status)
        shares = self._shares.values()
        self._measured = {key: rate for key, share in self._shares.items() if (rate := share.rate) is not None}
        mean = fmean(self._measured.values()) if self._measured else 0.0
        self._rates = {key: self._measured.get(key, mean) for key in self._shares}
        self._gap = median([gap for share in shares if (gap := share.done.gap_seconds) is not None] or [0.0])
        started = [share.first_ns for share in shares if share.first_ns is not None]
        self._has_begun = bool(started)
        # A duration that is too long to be true would move the start to before the run.
        self._zero_ns = max(min(started, default=status.now_ns), status.started_ns)
        ends = [share.done.last_ns for share in shares if share.done.last_ns is not None]
        self._is_done = status.is_over or not any(share.pending or share.in_progress for share in shares)
        self._now = self._since_zero(max(ends, default=status.now_ns) if self._is_done else status.now_ns)
        self._finish = {key: self._last_at_work(share) for key, share in self._shares.items()}
        self._paces = {key: self._pace(key, share) for key, share in self._shares.items()}
        self._free = {key: self._free_at(key, share) for key, share in self._shares.items()}

    def effect(self, describe: DescribeSteal) -> Effect:
        """Compute all figures; all are unknown before the first file has started."""
        if not self._has_begun:
            return unknown_effect()
        busy = {key: self._busy(share) for key, share in self._shares.items()}
        moves = self._moves_in_progress()
        expected = self._expected()
        latest = sorted([*self._totals.latest, *moves])[-MAX_STEALS_REPORTED:]
        return make_effect(
            makespan=self._now,
            expected=expected,
            without=None if expected is None else self._without_stealing(moves),
            bound=self._bound() if self._measured else None,
            tail=self._now - min(self._finish.values()),
            idle={key: max(0.0, self._now - seconds) for key, seconds in busy.items()},
            busy=busy,
            finish=self._finish,
            steals=[describe(steal, self._saved(steal)) for steal in latest],
            moves=len(moves) + sum(moved.files for moved in self._totals.moved.values()),
        )

    def _since_zero(self, at_ns: int) -> float:
        return max(0, at_ns - self._zero_ns) / NANOSECONDS

    # One device, as it is, with stealing.

    def _last_at_work(self, share: DeviceShare) -> float:
        if share.in_progress is not None:
            return self._now
        return 0.0 if share.done.last_ns is None else self._since_zero(share.done.last_ns)

    def _busy(self, share: DeviceShare) -> float:
        return share.done.done_seconds + self._time_in_progress(share)

    def _time_in_progress(self, share: DeviceShare) -> float:
        """How long it has worked on its file in progress; 0 without one."""
        if share.in_progress is None:
            return 0.0
        return max(0.0, self._now - self._since_zero(share.in_progress.since_ns))

    def _pace(self, key: str, share: DeviceShare) -> float:
        """Its expected work per second from now on."""
        so_far = self._time_in_progress(share)
        return min(self._rates[key], share.in_progress_work / so_far) if so_far else self._rates[key]

    def _free_at(self, key: str, share: DeviceShare) -> float:
        """When it has finished, or is expected to finish, its file in progress."""
        if share.in_progress is None:
            return self._finish[key]
        rate, so_far = self._rates[key], self._time_in_progress(share)
        return self._now + remaining_seconds(share.in_progress_work / rate if rate else so_far, so_far)

    def _free_for_own(self, key: str) -> float | None:
        """When it is free for its pending files, or first was ready if it never had a file; None: unknown."""
        share = self._shares.get(key)
        if share is not None and share.first_ns is not None:
            return self._free[key]
        up_ns = self._status.up_ns.get(key)
        return None if up_ns is None else self._since_zero(up_ns)

    def _own_pending_seconds(self, key: str) -> float:
        """How long it would take for the pending files that were first assigned to it."""
        share = self._shares.get(key)
        return share.pending / self._paces[key] if share is not None and share.pending else 0.0

    # The run.

    def _expected(self) -> float | None:
        """When all files are done; None if unknown."""
        if self._is_done:
            return self._now
        if not self._measured:
            return None
        end = max(self._free.values())
        pending = sum(share.pending for share in self._shares.values())
        if not pending:
            return end
        if not self._status.is_stealing:
            own_ends = (max(self._now, at) + self._own_pending_seconds(key) for key, at in self._free.items())
            return max(end, *own_ends)
        living = self._status.living & self._free.keys()
        workers = sorted((max(self._now, self._free[key]), self._paces[key]) for key in living)
        if not workers:
            return None
        biggest = max(share.biggest_pending for share in self._shares.values())
        return max(end, _shared_end(pending, workers), min(free + biggest / pace for free, pace in workers))

    def _without_stealing(self, moves_in_progress: Sequence[Steal]) -> float | None:
        """When all files would have been done without a single steal; None if unknown."""
        corrections: dict[str, list[float]] = {key: [] for key in self._shares}
        victims = set()

        def undo(thief: str, victim: str, files: int, seconds: float) -> None:
            gaps = files * self._gap
            corrections[thief].append(-seconds - gaps)
            corrections.setdefault(victim, []).append(seconds * self._ratio(thief, victim) + gaps)
            victims.add(victim)

        for (thief, victim), moved in self._totals.moved.items():
            undo(thief, victim, moved.files, moved.took_ns / NANOSECONDS)
        for steal in moves_in_progress:
            undo(steal.thief, steal.victim, 1, self._expected_in_progress(steal.thief))
        ends = [0.0]
        for key, its_corrections in corrections.items():
            free, pending = self._free_for_own(key), self._own_pending_seconds(key)
            if free is None and key in victims:
                return None
            if key in victims or pending or self._finish.get(key):
                ends.append(math.fsum([self._now if free is None else free, pending, *its_corrections]))
        return max(ends)

    def _bound(self) -> float:
        """A lower bound of the makespan, for any distribution of the files over the devices."""
        shares, rates = self._shares, self._rates
        unfinished = sum(share.pending + share.in_progress_work for share in shares.values())
        total = unfinished + sum(share.work for share in shares.values())
        done = {key: share.done.longest_ns / NANOSECONDS * rates[key] for key, share in shares.items()}
        biggest = max(max(share.biggest_left, done[key]) for key, share in shares.items())
        return max(total / math.fsum(rates.values()), biggest / max(rates.values()))

    # Steals.

    def _moves_in_progress(self) -> list[Steal]:
        """The steals of files that their thieves work on."""
        files = [
            (key, share.in_progress.file) for key, share in self._shares.items() if share.in_progress is not None
        ]
        steals = [(key, self._totals.open_steal(file)) for key, file in files]
        return [steal for key, steal in steals if steal is not None and steal.thief == key]

    def _expected_in_progress(self, key: str) -> float:
        """How long the device's file in progress is expected to take in all; 0 without one."""
        file = self._shares[key].in_progress
        return 0.0 if file is None else self._free[key] - self._since_zero(file.since_ns)

    def _ratio(self, thief: str, victim: str) -> float:
        """How many times as long as the thief the victim takes for a file."""
        rates = self._measured
        return rates[thief] / rates[victim] if thief in rates and victim in rates else 1.0

    def _saved(self, steal: Steal) -> float | None:
        """How much sooner thief and victim were done because of this one steal; None before the file is done."""
        done = self._totals.done(steal.file)
        if done is None or not self._measured:
            return None
        on_victim = done.seconds * self._ratio(steal.thief, steal.victim) + self._gap
        free = self._free_for_own(steal.victim)
        if free is None:
            return None
        end = self._since_zero(done.end_ns)
        return min(on_victim, free + self._own_pending_seconds(steal.victim) + on_victim - end)


def _shared_end(work: float, workers: Sequence[tuple[float, float]]) -> float:
    """When `workers`, as (free at, rate) in order of that time, have done `work` together."""
    rates = total = 0.0
    for index, (free, rate) in enumerate(workers):
        rates += rate
        total += rate * free
        end = (work + total) / rates
        if index + 1 == len(workers) or end <= workers[index + 1][0]:
            return end
    raise ValueError("no workers: expected at least one")
