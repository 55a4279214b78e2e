"""An outlook under other assumptions keeps what these do not change, and is still what one made anew would be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.simulated_runs import ImaginedRun
from virnucpro_bus.effect.assumptions import doubts, fixed_cost, likely_assumptions
from virnucpro_bus.effect.outlook import Outlook
from virnucpro_bus.effect.shares import shares_of, totals_of

LATE_SECONDS = 60.0
"""How long nothing is heard then: the files in progress are late."""
COSTS = [90, 20, 70, 10, 60, 40, 80, 30, 50, 20, 90, 10, 60, 30]


def at(seconds: float, policy: str) -> tuple[Outlook, list[tuple[Outlook, Outlook]]]:
    """The likely outlook of a run at that time; and under each end of each doubt, made of it and made anew."""
    run = ImaginedRun(COSTS, [1.0, 3.0, 2.0], policy)
    run.work(seconds)
    run.script.clock.advance(LATE_SECONDS)
    (work,) = run.fleet().get_work()
    totals = totals_of(work.log, work.status)
    assert totals is not None
    shares = shares_of(totals, work.status)
    likely = Outlook(
        totals, work.status, shares, likely_assumptions(shares, work.status.now_ns, fixed_cost(shares))
    )
    figures_of(likely)
    return likely, [
        (likely.under(each), Outlook(totals, work.status, shares, each))
        for both in doubts(likely.assumed, likely.shares, is_done=likely.is_done)
        for each in both
    ]


def figures_of(outlook: Outlook) -> tuple[object, ...]:
    return outlook.expected(), outlook.without_stealing(), outlook.bound, outlook.free


@pytest.mark.parametrize("policy", ["cost", "off"])
@pytest.mark.parametrize("seconds", [45.0, 70.0, 1_000.0])
def test_an_outlook_under_other_assumptions_is_what_one_made_anew_is(seconds: float, policy: str) -> None:
    likely, pairs = at(seconds, policy)
    assert all(figures_of(kept) == figures_of(new) for kept, new in pairs)
    assert len({figures_of(kept)[:3] for kept, _ in pairs} | {figures_of(likely)[:3]}) > 1


def test_what_other_assumptions_do_not_change_is_not_computed_once_more() -> None:
    likely, _ = at(70.0, "cost")
    other_gaps = likely.under(replace(likely.assumed, other_gaps=2.0))
    assert other_gaps.free is likely.free
    faster = likely.under(replace(likely.assumed, speeds=likely.assumed.speeds.with_factor("cpu:1", 2.0)))
    assert faster.free is not likely.free
