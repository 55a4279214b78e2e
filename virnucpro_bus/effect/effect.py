"""Whether stealing helped: the figures that follow from the plan and from what was done, at a moment. Pure.

All times count from the start of the first file, so that loading the job, which nobody can share out, is left out.
The formulas, with d, v and t for devices (v a victim, t a thief) and f for a file:

    rate(d)     work done by d / seconds that d took for it; work as estimated in the plan, at least 1 a file, and
                what every file costs whatever its size (fixed_work.py)
    on v(f)     seconds(f) x rate(t) / rate(v) + gap: what a stolen file would have taken on its owner; the ratio
                is 1 where either has completed nothing. gap: what lies between two files of a device, the median
                over devices of each one's mean
    alone(d)    finish(d) - sum of (seconds(f) + gap) over what d stole + sum of on d(f) over what it lost
    without     max over d of alone(d); for who never had a file finish(d) is when it first could have begun one
    bound       max(total work / sum of rates, biggest file / fastest rate); a file that is done counts, as the
                biggest, with the work that it turned out to be, seconds(f) x rate(d)
    saved(f)    min(on v(f), finish(v) + on v(f) - end(f)): how much later both would have been done, its owner and
                the thief of this one file, had this one move not been made

While the run goes on finish(d) is what is to be expected: the file in hand takes its work / pace(d), and what
waits is shared out among all devices that live where there is stealing, and stays with its owner where there is
none. A device that has completed nothing yet is expected to be as fast as the mean of those that have.

    pace(d)     min(rate(d), work in hand / time in hand): who takes longer for a file than the rate says is slower
                now. Such a file is expected to take OVERRUN of its time so far longer.
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
"""How a steal is told of, and what it has saved, in seconds; None: unknown."""


def effect_of(book: WorkLog, look: RunStatus, tell: DescribeSteal, cache: TotalsCache | None = None) -> Effect:
    """The figures at a moment; all unknown where the plan is not known as a whole."""
    if (sums := totals_of(book, look, cache)) is not None:
        return _EffectCalculator(sums, look).effect(tell)
    steals = sorted(book.steals.values())
    return make_effect(steals=[tell(steal, None) for steal in steals[-MAX_STEALS_REPORTED:]], moves=len(steals))


class _EffectCalculator:
    """All that is figured out for one look; times in seconds from the start of the first file."""

    def __init__(self, sums: WorkTotals, look: RunStatus) -> None:
        self._sums = sums
        self._look = look
        self._shares = shares_of(sums, look)
        shares = self._shares.values()
        self._measured = {key: rate for key, share in self._shares.items() if (rate := share.rate) is not None}
        mean = fmean(self._measured.values()) if self._measured else 0.0
        self._rates = {key: self._measured.get(key, mean) for key in self._shares}
        self._gap = median([gap for share in shares if (gap := share.done.gap_seconds) is not None] or [0.0])
        started = [share.first_ns for share in shares if share.first_ns is not None]
        self._has_begun = bool(started)
        # A duration that cannot be would move the start to before the run.
        self._zero_ns = max(min(started, default=look.now_ns), look.started_ns)
        ends = [share.done.last_ns for share in shares if share.done.last_ns is not None]
        self._is_done = look.is_over or not any(share.pending or share.in_progress for share in shares)
        self._now = self._since(max(ends, default=look.now_ns) if self._is_done else look.now_ns)
        self._finish = {key: self._last_at_work(share) for key, share in self._shares.items()}
        self._paces = {key: self._pace(key, share) for key, share in self._shares.items()}
        self._free = {key: self._free_at(key, share) for key, share in self._shares.items()}

    def effect(self, tell: DescribeSteal) -> Effect:
        """The figures."""
        if not self._has_begun:
            return unknown_effect()
        busy = {key: self._busy(share) for key, share in self._shares.items()}
        in_hand = self._moves_in_hand()
        expected = self._expected()
        told = sorted([*self._sums.latest, *in_hand])[-MAX_STEALS_REPORTED:]
        return make_effect(
            makespan=self._now,
            expected=expected,
            without=None if expected is None else self._without(in_hand),
            bound=self._bound() if self._measured else None,
            tail=self._now - min(self._finish.values()),
            idle={key: max(0.0, self._now - seconds) for key, seconds in busy.items()},
            busy=busy,
            finish=self._finish,
            steals=[tell(steal, self._saved(steal)) for steal in told],
            moves=len(in_hand) + sum(moved.files for moved in self._sums.moved.values()),
        )

    def _since(self, at_ns: int) -> float:
        return max(0, at_ns - self._zero_ns) / NANOSECONDS

    # A device, with all that was stolen.

    def _last_at_work(self, share: DeviceShare) -> float:
        if share.in_progress is not None:
            return self._now
        return 0.0 if share.done.last_ns is None else self._since(share.done.last_ns)

    def _busy(self, share: DeviceShare) -> float:
        return share.done.done_seconds + self._seconds_in_hand(share)

    def _seconds_in_hand(self, share: DeviceShare) -> float:
        """How long it has worked on the file in hand."""
        return 0.0 if share.in_progress is None else max(0.0, self._now - self._since(share.in_progress.since_ns))

    def _pace(self, key: str, share: DeviceShare) -> float:
        """Work per second from now on."""
        so_far = self._seconds_in_hand(share)
        return min(self._rates[key], share.in_progress_work / so_far) if so_far else self._rates[key]

    def _free_at(self, key: str, share: DeviceShare) -> float:
        """When it has put down, or is expected to put down, the file in hand."""
        if share.in_progress is None:
            return self._finish[key]
        rate, so_far = self._rates[key], self._seconds_in_hand(share)
        return self._now + remaining_seconds(share.in_progress_work / rate if rate else so_far, so_far)

    def _could_begin(self, key: str) -> float | None:
        """When it could have gone on with what was first given to it, had nothing been stolen; None: unknown."""
        share = self._shares.get(key)
        if share is not None and share.first_ns is not None:
            return self._free[key]
        up_ns = self._look.up_ns.get(key)
        return None if up_ns is None else self._since(up_ns)

    def _own_rest(self, key: str) -> float:
        """How long it would take for what waits, of the files first given to it."""
        share = self._shares.get(key)
        return share.pending / self._paces[key] if share is not None and share.pending else 0.0

    # The run.

    def _expected(self) -> float | None:
        """When everything is done; None when nobody can tell."""
        if self._is_done:
            return self._now
        if not self._measured:
            return None
        end = max(self._free.values())
        waiting = sum(share.pending for share in self._shares.values())
        if not waiting:
            return end
        if not self._look.is_stealing:
            return max(end, *(max(self._now, at) + self._own_rest(key) for key, at in self._free.items()))
        living = self._look.living & self._free.keys()
        workers = sorted((max(self._now, self._free[key]), self._paces[key]) for key in living)
        if not workers:
            return None
        biggest = max(share.biggest_pending for share in self._shares.values())
        return max(end, _shared_out(waiting, workers), min(free + biggest / pace for free, pace in workers))

    def _without(self, in_hand: Sequence[Steal]) -> float | None:
        """When everything would have been done without a single steal; None when nobody can tell."""
        more: dict[str, list[float]] = {key: [] for key in self._shares}
        robbed = set()

        def undo(thief: str, victim: str, files: int, seconds: float) -> None:
            gaps = files * self._gap
            more[thief].append(-seconds - gaps)
            more.setdefault(victim, []).append(seconds * self._ratio(thief, victim) + gaps)
            robbed.add(victim)

        for (thief, victim), moved in self._sums.moved.items():
            undo(thief, victim, moved.files, moved.took_ns / NANOSECONDS)
        for steal in in_hand:
            undo(steal.thief, steal.victim, 1, self._expected_in_hand(steal.thief))
        ends = [0.0]
        for key, each in more.items():
            begin, rest = self._could_begin(key), self._own_rest(key)
            if begin is None and key in robbed:
                return None
            if key in robbed or rest or self._finish.get(key):
                ends.append(math.fsum([self._now if begin is None else begin, rest, *each]))
        return max(ends)

    def _bound(self) -> float:
        """No way of sharing out the work could be faster than that."""
        shares, rates = self._shares, self._rates
        left = sum(share.pending + share.in_progress_work for share in shares.values())
        total = left + sum(share.work for share in shares.values())
        done = {key: share.done.longest_ns / NANOSECONDS * rates[key] for key, share in shares.items()}
        biggest = max(max(share.biggest_left, done[key]) for key, share in shares.items())
        return max(total / math.fsum(rates.values()), biggest / max(rates.values()))

    # Steals.

    def _moves_in_hand(self) -> list[Steal]:
        """The steals of files that their thieves work on."""
        held = [
            (key, share.in_progress.file) for key, share in self._shares.items() if share.in_progress is not None
        ]
        steals = [(key, self._sums.open_steal(file)) for key, file in held]
        return [steal for key, steal in steals if steal is not None and steal.thief == key]

    def _expected_in_hand(self, key: str) -> float:
        """How long the file that a device has in hand is expected to take."""
        held = self._shares[key].in_progress
        return 0.0 if held is None else self._free[key] - self._since(held.since_ns)

    def _ratio(self, thief: str, victim: str) -> float:
        """So many times as long as its thief its owner takes for a file."""
        rates = self._measured
        return rates[thief] / rates[victim] if thief in rates and victim in rates else 1.0

    def _saved(self, steal: Steal) -> float | None:
        """How much sooner the pair was done because of this one steal; None before the file is done."""
        done = self._sums.done(steal.file)
        if done is None or not self._measured:
            return None
        given = done.seconds * self._ratio(steal.thief, steal.victim) + self._gap
        begin = self._could_begin(steal.victim)
        if begin is None:
            return None
        return min(given, begin + self._own_rest(steal.victim) + given - self._since(done.end_ns))


def _shared_out(work: float, workers: Sequence[tuple[float, float]]) -> float:
    """When `workers`, (free from, rate) in order of that time, have done `work` together."""
    rates = total = 0.0
    for index, (free, rate) in enumerate(workers):
        rates += rate
        total += rate * free
        end = (work + total) / rates
        if index + 1 == len(workers) or end <= workers[index + 1][0]:
            return end
    raise ValueError("there is nobody to share it out to")
