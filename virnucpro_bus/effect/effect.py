"""Computes at a moment whether stealing helped, from the plan and the work done so far. Pure.

All times count from the start of the first file: what was loaded before it, which cannot be shared out, is left
out. A device that loads later is idle until it is ready.
The formulas, with d, v and t for devices (v a victim, t a thief) and f for a file:

    rate(d)     work done by d / seconds that d took for it, in each phase (speeds.py); work is as estimated in the
                plan, at least 1 per file, plus the fixed cost of every file (duration_model.py)
    on v(f)     seconds(f) x rate(t) then / rate(v) at the end + gap: what a stolen file would have taken on its
                owner. gap: the time between two files of a device, the median over devices of each one's mean
    alone(d)    finish(d) - sum of (seconds(f) + gap) over what d stole + sum of on d(f) over what it lost
    without     max over d of alone(d); for a device that never had a file, finish(d) is when it first was ready
    joined(d)   0; for a device that has joined the run after its start, with no files of its own, when it did
    bound       max(time for all work at the rates of the devices that have joined, min over d of joined(d) +
                biggest file / rate(d)); a completed file counts, as the biggest, with the work that it turned out
                to be, seconds(f) x rate(d)
    saved(f)    min(on v(f), finish(v) + on v(f) - end(f)): how much later both the owner and the thief of this one
                file would have been done without this one move, with all others as they were

While the run continues finish(d) is an expectation: the file in progress takes its work / pace(d). Pending files
are distributed over all live devices if the policy steals, and stay with their owner if it does not; each takes
its work / pace(d) + gap. A device that has completed nothing is supposed to be like the others (pooling.py), and
one that still loads its job to take as long for that as the others of the run did (the median).

Where its job reports how much of the file in progress is done, seconds / share is another estimate of what it
takes in all; the two are combined as well as each is known (duration_model.py). Before the first completed file
of any device nothing else shows how fast devices are: then rate(d) is work in progress x share / seconds.

    pace(d)     min(rate(d), work in progress / time in progress): a device that exceeds the time that its rate
                predicts is slower now. Such a file is expected to take OVERRUN of its time so far in addition.

Every figure has a range, which holds the true one with 95 % probability if the assumptions hold (assumptions.py).
Each doubt is taken to either end with all others at their best estimates, and the changes of the figure are added
as those of independent errors: the root of the sum of their squares (JCGM 100, Guide to the Expression of
Uncertainty in Measurement, 5.1.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from virnucpro_bus.effect.assumptions import (
    CURVES,
    OTHER_GAPS,
    Assumptions,
    doubts,
    likely_assumptions,
    measurement_of,
)
from virnucpro_bus.effect.combine import make_effect, percent_above, unknown_effect
from virnucpro_bus.effect.duration_model import LIKELY
from virnucpro_bus.effect.outlook import Outlook
from virnucpro_bus.effect.shares import RunStatus, loading_seconds, shares_of, totals_of
from virnucpro_bus.effect.speeds import factor_of
from virnucpro_bus.effect.totals import MAX_STEALS_REPORTED, TotalsCache, WorkTotals
from virnucpro_bus.effect.work_log import Steal, WorkLog
from virnucpro_bus.metrics import Effect, Range, StealEffect

DescribeSteal = Callable[[Steal, float | None, Range | None], StealEffect]
"""Makes the report of a steal, given what it saved in seconds, and the range of that; None: unknown."""


class _Figures(NamedTuple):
    """What depends on assumptions; None: unknown."""

    expected: float | None
    without: float | None
    saved: float | None
    bound: float | None
    above: float | None


def effect_of(
    log: WorkLog, status: RunStatus, describe: DescribeSteal, cache: TotalsCache | None = None
) -> Effect:
    """Compute the effect of stealing at the moment of `status`.

    All figures but the steals, their number and the time of loading are unknown if the plan is not fully known.
    """
    if (totals := totals_of(log, status, cache)) is not None:
        effect = _EffectCalculator(totals, status).effect(describe)
    else:
        steals = sorted(log.steals.values())
        latest = [describe(steal, None, None) for steal in steals[-MAX_STEALS_REPORTED:]]
        effect = make_effect(steals=latest, moves=len(steals))
    return {**effect, "loading_seconds": loading_seconds(status.loads)}


def range_of(value: float, ends: Iterable[tuple[float | None, float | None]]) -> tuple[float, float]:
    """Return the range of a figure, given what it is at both ends of every doubt; None counts as no change."""
    changes = [[0.0, *(end - value for end in both if end is not None)] for both in ends]
    below = math.sqrt(math.fsum(min(each) ** 2 for each in changes))
    return value - below, value + math.sqrt(math.fsum(max(each) ** 2 for each in changes))


class _EffectCalculator:
    """Computes one Effect."""

    def __init__(self, totals: WorkTotals, status: RunStatus) -> None:
        self._totals = totals
        self._status = status
        self._shares = shares_of(totals, status)
        self._measurement = measurement_of(self._shares)
        self._likely = Outlook(totals, status, self._shares, self._assumptions())

    def effect(self, describe: DescribeSteal) -> Effect:
        """Compute all figures; all are unknown before the first file has started."""
        now = self._likely
        if not now.has_begun:
            return unknown_effect()
        busy = {key: now.busy(key) for key in now.shares}
        moves = now.moves_in_progress
        latest = sorted([*self._totals.latest, *moves])[-MAX_STEALS_REPORTED:]
        figures = _figures(now)
        ranges = self._ranges(figures)
        if figures.without is None and figures.expected is not None:
            # Files were stolen from a device that was never ready, or had no worker any more: the least is known.
            _, least = now.without_stealing
            if least is not None and least > figures.expected:
                ranges["without"], ranges["saved"] = (least, None), (least - figures.expected, None)
        return make_effect(
            makespan=now.now,
            expected=figures.expected,
            without=figures.without,
            bound=figures.bound,
            ranges=ranges,
            tail=now.now - min(now.finish.values()),
            idle={key: max(0.0, now.now - now.joined(key) - seconds) for key, seconds in busy.items()},
            busy=busy,
            finish=now.finish,
            steals=[describe(steal, *self._saved(steal)) for steal in latest],
            moves=len(moves) + sum(moved.files for moved in self._totals.moved.values()),
        )

    def _assumptions(self, fixed: int | None = None, curve: float = 1.0) -> Assumptions:
        """The likely assumptions for this fixed cost of every file, None: the likely one; and for this curve."""
        return likely_assumptions(self._shares, self._status.now_ns, self._measurement, fixed, curve)

    def _ranges(self, likely: _Figures) -> dict[str, Range | None]:
        """The range of each of the figures."""
        ends = [(_figures(low), _figures(high)) for low, high in self._doubts()]
        found: dict[str, Range | None] = {}
        for at, (name, value) in enumerate(likely._asdict().items()):
            if value is None:
                found[name] = None
                continue
            low, high = range_of(value, [(low[at], high[at]) for low, high in ends])
            # The end is not before now, and a duration not below 0.
            least = {"expected": self._likely.now, "saved": -math.inf}.get(name, 0.0)
            found[name] = max(low, least), high
        return found

    def _doubts(self) -> Iterator[tuple[Outlook, Outlook]]:
        """The run at both ends of each doubt."""
        for low, high in self._doubted():
            yield self._likely.under(low), self._likely.under(high)

    def _doubted(self) -> Iterator[tuple[Assumptions, Assumptions]]:
        """Both ends of each doubt."""
        fixed, likely = self._measurement.fixed, self._likely.assumed
        if fixed.least < fixed.greatest:
            yield self._assumptions(fixed.least), self._assumptions(fixed.greatest)
        if any(share.progress is not None for share in self._shares.values()):
            # Progress shows how fast devices are only before the first completed file of any.
            is_measured = any(speed.is_measured for speed in likely.speeds.by_key.values())
            low, high = (
                replace(likely, curve=curve) if is_measured else self._assumptions(curve=curve) for curve in CURVES
            )
            yield low, high
        yield from doubts(likely, self._shares, is_done=self._likely.is_done)

    def _saved(self, steal: Steal) -> tuple[float | None, Range | None]:
        """How much sooner thief and victim were done because of this one steal; None before the file is done."""
        likely = self._likely
        done, free = self._totals.done(steal.file), likely.free_for_own(steal.victim)
        if done is None or not likely.speeds or free is None:
            return None, None
        after = free + likely.own_pending_seconds(steal.victim) - likely.since_zero(done.end_ns)
        pair = (likely.speeds.get(key) for key in (steal.thief, steal.victim))
        factor = factor_of(LIKELY * math.hypot(*(speed.error for speed in pair if speed is not None)))
        on_victim = likely.on_victim(steal, done.seconds, done.end_ns)
        least, greatest = (
            on_victim / factor + OTHER_GAPS[0] * likely.gap,
            on_victim * factor + OTHER_GAPS[1] * likely.gap,
        )
        low, saved, high = (min(each, each + after) for each in (least, on_victim + likely.gap, greatest))
        return saved, (low, high)


def _figures(outlook: Outlook) -> _Figures:
    expected, bound = outlook.expected, outlook.bound
    without = None if expected is None else outlook.without_stealing[0]
    saved = None if without is None or expected is None else without - expected
    above = percent_above(expected, bound) if expected is not None and bound else None
    return _Figures(expected, without, saved, bound, above)
