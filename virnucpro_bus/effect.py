"""Whether stealing helped: the figures that follow from the plan and from what was done, at a moment. Pure.

All times count from the start of the first file, so that loading the job, which nobody can share out, is left out.
The formulas, with d, v and t for devices (v a victim, t a thief) and f for a file:

    rate(d)     work done by d / seconds that d took for it; work as estimated in the plan, at least 1 a file, and
                what every file costs whatever its size (fixed_work.py)
    on v(f)     seconds(f) x rate(t) / rate(v) + gap: what a stolen file would have taken on its owner; the ratio
                is 1 where either has completed nothing. gap: what lies between two files of a device, the median
                over devices of each one's mean
    alone(d)    finish(d) - sum of (seconds(f) + gap) over what d stole + sum of on d(f) over what it lost
    without     max over d of alone(d)
    bound       max(total work / sum of rates, biggest file / fastest rate); a file that is done counts, as the
                biggest, with the work that it turned out to be, seconds(f) x rate(d)
    saved(f)    min(on v(f), finish(v) + on v(f) - end(f)): how much later both would have been done, its owner and
                the thief of this one file, had this one move not been made

While the run goes on finish(d) is what is to be expected: the file in hand takes its work / rate(d), and what
waits is shared out among all devices that live where there is stealing, and stays with its owner where there is
none. A device that has completed nothing yet is expected to be as fast as the mean of those that have.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from statistics import fmean, median

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.metrics import Effect, StealEffect
from virnucpro_bus.shares import Look, Share, shares_of
from virnucpro_bus.streams import Steal
from virnucpro_bus.workbook import WorkBook

STEALS_TOLD = 1_000
"""The latest ones, of which the effect is told one by one."""


def effect_of(book: WorkBook, look: Look, tell: Callable[[Steal, float | None], StealEffect]) -> Effect:
    """The figures at a moment; all unknown where no plan is known. `tell` says how a steal is told of."""
    if book.assigned and not book.passed_over:
        return _Reckoning(book, look).effect(tell)
    steals = sorted(book.steals.values())
    return _effect(steals=[tell(steal, None) for steal in steals[-STEALS_TOLD:]], moves=len(steals))


def unknown_effect() -> Effect:
    """Nothing is known."""
    return _effect(steals=[], moves=0)


def together(effects: Iterable[Effect]) -> Effect:
    """Several runs as a whole: the longest counts, idle time adds up. Those of which nothing is known count for
    nothing."""
    every = list(effects)
    known = [effect for effect in every if effect["makespan_seconds"] is not None]
    if len(known or every) == 1:
        return (known or every)[0]
    steals = sorted((steal for effect in every for steal in effect["steals"]), key=itemgetter("timestamp", "host"))
    return _effect(
        makespan=_longest(effect["makespan_seconds"] for effect in known),
        expected=_longest(effect["makespan_expected_seconds"] for effect in known),
        without=_longest(effect["makespan_without_stealing_seconds"] for effect in known),
        bound=_longest(effect["lower_bound_seconds"] for effect in known),
        tail=_longest(effect["tail_seconds"] for effect in known),
        idle=_added([effect["idle_seconds"] for effect in known]),
        busy=_added([effect["busy_seconds"] for effect in known]),
        finish={key: at for effect in known for key, at in effect["finish_seconds"].items()},
        steals=steals[-STEALS_TOLD:],
        moves=sum(effect["moves"] for effect in every),
    )


def _longest(seconds: Iterable[float | None]) -> float | None:
    return max((each for each in seconds if each is not None), default=None)


def _added(each: Sequence[dict[str, float]]) -> dict[str, float]:
    together = defaultdict[str, list[float]](list)
    for part in each:
        for key, seconds in part.items():
            together[key].append(seconds)
    return {key: math.fsum(together[key]) for key in sorted(together)}


def _effect(
    makespan: float | None = None,
    expected: float | None = None,
    without: float | None = None,
    bound: float | None = None,
    tail: float | None = None,
    idle: dict[str, float] | None = None,
    busy: dict[str, float] | None = None,
    finish: dict[str, float] | None = None,
    *,
    steals: list[StealEffect],
    moves: int,
) -> Effect:
    """With what follows from the rest."""
    worked, finishes = list((busy or {}).values()), list((finish or {}).values())
    squares = math.fsum(each * each for each in worked)
    mean = fmean(finishes) if finishes else 0.0
    return Effect(
        makespan_seconds=makespan,
        makespan_expected_seconds=expected,
        makespan_without_stealing_seconds=without,
        lower_bound_seconds=bound,
        above_bound_percent=100 * (expected / bound - 1) if expected is not None and bound else None,
        saved_seconds=without - expected if without is not None and expected is not None else None,
        tail_seconds=tail,
        jain_index=math.fsum(worked) ** 2 / (len(worked) * squares) if squares else None,
        max_over_mean_finish=max(finishes) / mean if mean else None,
        idle_seconds=idle or {},
        busy_seconds=busy or {},
        finish_seconds=finish or {},
        moves=moves,
        steals=steals,
    )


class _Reckoning:
    """All that is figured out for one look; times in seconds from the start of the first file."""

    def __init__(self, book: WorkBook, look: Look) -> None:
        self._book = book
        self._look = look
        self._plan = book.plan()
        self._done = book.completed(self._plan, look.started_ns)
        self._shares = shares_of(book, look, self._plan, self._done)
        shares = self._shares.values()
        self._measured = {key: rate for key, share in self._shares.items() if (rate := share.rate) is not None}
        mean = fmean(self._measured.values()) if self._measured else 0.0
        self._rates = {key: self._measured.get(key, mean) for key in self._shares}
        self._gap = median([gap for share in shares if (gap := share.gap_seconds) is not None] or [0.0])
        started = [share.first_ns for share in shares if share.first_ns is not None]
        self._has_begun = bool(started)
        # A duration that cannot be would move the start to before the run.
        self._zero_ns = max(min(started, default=look.now_ns), look.started_ns)
        ends = [share.last_ns for share in shares if share.last_ns is not None]
        self._is_done = look.is_over or not any(share.waiting or share.in_hand for share in shares)
        self._now = self._since(max(ends, default=look.now_ns) if self._is_done else look.now_ns)
        self._finish = {key: self._last_at_work(share) for key, share in self._shares.items()}
        self._free = {key: self._free_at(key, share) for key, share in self._shares.items()}

    def effect(self, tell: Callable[[Steal, float | None], StealEffect]) -> Effect:
        """The figures."""
        if not self._has_begun:
            return unknown_effect()
        busy = {key: self._busy(share) for key, share in self._shares.items()}
        undone = self._undone()
        expected = self._expected()
        return _effect(
            makespan=self._now,
            expected=expected,
            without=None if expected is None else self._without(undone),
            bound=self._bound() if self._measured else None,
            tail=self._now - min(self._finish.values()),
            idle={key: max(0.0, self._now - seconds) for key, seconds in busy.items()},
            busy=busy,
            finish=self._finish,
            steals=[tell(steal, self._saved(steal, seconds)) for steal, _, seconds in undone[-STEALS_TOLD:]],
            moves=len(undone),
        )

    def _since(self, at_ns: int) -> float:
        return max(0, at_ns - self._zero_ns) / NANOSECONDS

    # A device, with all that was stolen.

    def _last_at_work(self, share: Share) -> float:
        if share.in_hand is not None:
            return self._now
        return 0.0 if share.last_ns is None else self._since(share.last_ns)

    def _busy(self, share: Share) -> float:
        so_far = 0.0 if share.in_hand is None else self._now - self._since(share.in_hand.since_ns)
        return share.done_seconds + so_far

    def _free_at(self, key: str, share: Share) -> float:
        """When it has put down, or is expected to put down, the file in hand."""
        if share.in_hand is None:
            return self._finish[key]
        rate = self._rates[key]
        whole = share.in_hand_work / rate if rate else 0.0
        return max(self._now, self._since(share.in_hand.since_ns) + whole)

    def _own_rest(self, key: str) -> float:
        """How long it would take for what waits, of the files first given to it."""
        waiting = self._shares[key].waiting
        return waiting / self._rates[key] if waiting else 0.0

    # The run.

    def _expected(self) -> float | None:
        """When everything is done; None when nobody can tell."""
        if self._is_done:
            return self._now
        if not self._measured:
            return None
        end = max(self._free.values())
        waiting = sum(share.waiting for share in self._shares.values())
        if not waiting:
            return end
        if not self._look.is_stealing:
            return max(end, *(max(self._now, at) + self._own_rest(key) for key, at in self._free.items()))
        living = self._look.living & self._free.keys()
        workers = sorted((max(self._now, self._free[key]), self._rates[key]) for key in living)
        if not workers:
            return None
        biggest = max(share.biggest_left for share in self._shares.values())
        return max(end, _shared_out(waiting, workers), self._now + biggest / max(rate for _, rate in workers))

    def _without(self, undone: list[tuple[Steal, float, float]]) -> float:
        """When everything would have been done without a single steal."""
        more: dict[str, list[float]] = {key: [self._own_rest(key)] for key in self._shares}
        for steal, taken, given in undone:
            more[steal.thief].append(-taken)
            more.setdefault(steal.victim, []).append(given)
        return max(max(0.0, math.fsum([self._free.get(key, 0.0), *each])) for key, each in more.items())

    def _bound(self) -> float:
        """No way of sharing out the work could be faster than that."""
        shares, rates = self._shares, self._rates
        left = sum(share.waiting + share.in_hand_work for share in shares.values())
        total = left + sum(share.work for share in shares.values())
        biggest = max(
            max(share.biggest_left, max(share.seconds, default=0.0) * rates[key]) for key, share in shares.items()
        )
        return max(total / math.fsum(rates.values()), biggest / max(rates.values()))

    # Steals.

    def _undone(self) -> list[tuple[Steal, float, float]]:
        """Every steal that stands, oldest first; the seconds that it took the thief, and would have the victim."""
        found = []
        for steal in sorted(self._book.steals.values()):
            seconds = self._thief_seconds(steal)
            if seconds is not None:
                rates, thief, victim = self._measured, steal.thief, steal.victim
                ratio = rates[thief] / rates[victim] if thief in rates and victim in rates else 1.0
                found.append((steal, seconds + self._gap, seconds * ratio + self._gap))
        return found

    def _thief_seconds(self, steal: Steal) -> float | None:
        """How long the thief took for the file, or is expected to take; None when it is not the one to do it."""
        planned = self._plan.get(steal.file)
        if planned is None or planned[0] == steal.thief:
            return None
        done = self._done.get(steal.file)
        if done is not None:
            return done[1] if done[2] == steal.thief else None
        share = self._shares.get(steal.thief)
        if share is None or share.in_hand is None or share.in_hand.file != steal.file:
            return None
        return self._free[steal.thief] - self._since(share.in_hand.since_ns)

    def _saved(self, steal: Steal, given: float) -> float | None:
        """How much sooner the pair was done because of this one steal; None before the file is done."""
        done = self._done.get(steal.file)
        if done is None or not self._measured:
            return None
        victim = self._free.get(steal.victim, 0.0)
        rest = self._own_rest(steal.victim) if steal.victim in self._shares else 0.0
        return min(given, victim + rest + given - self._since(done[0]))


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
