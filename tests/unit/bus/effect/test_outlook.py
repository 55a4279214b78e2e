"""An outlook under other assumptions keeps what these do not change, and is still what one made anew would be.

Its figures take steps in proportion to the number of devices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from tests.support.simulated_runs import ImaginedRun
from tests.support.steps import steps
from virnucpro_bus import events as ev
from virnucpro_bus.effect.assumptions import Assumptions, doubts, likely_assumptions, measurement_of
from virnucpro_bus.effect.outlook import Outlook
from virnucpro_bus.effect.shares import shares_of, totals_of
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script

LATE_SECONDS = 60.0
"""How long nothing is heard then: the files in progress are late."""
COSTS = [90, 20, 70, 10, 60, 40, 80, 30, 50, 20, 90, 10, 60, 30]


def likely_outlook(fleet: FleetState) -> tuple[Outlook, Callable[[Assumptions], Outlook]]:
    """The likely outlook of the run, and what makes one under other assumptions."""
    (work,) = fleet.get_work()
    totals = totals_of(work.log, work.status)
    assert totals is not None
    shares = shares_of(totals, work.status)
    make = partial(Outlook, totals, work.status, shares)
    return make(likely_assumptions(shares, work.status.now_ns, measurement_of(shares))), make


def at(seconds: float, policy: str) -> tuple[Outlook, list[tuple[Outlook, Outlook]]]:
    """The likely outlook of a run at that time; and under each end of each doubt, made of it and made anew."""
    run = ImaginedRun(COSTS, [1.0, 3.0, 2.0], policy)
    run.work(seconds)
    run.script.clock.advance(LATE_SECONDS)
    likely, make = likely_outlook(run.fleet())
    figures_of(likely)
    return likely, [
        (likely.under(each), make(each))
        for both in doubts(likely.assumed, likely.shares, is_done=likely.is_done)
        for each in both
    ]


def figures_of(outlook: Outlook) -> tuple[object, ...]:
    return outlook.expected, outlook.without_stealing, outlook.bound, outlook.free


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


def fleet_that_grows(devices: int) -> FleetState:
    """Devices that join a run one after another, and of which each has become slower at a time of its own."""
    script, gpus = Script(), [Device(f"GPU-{at:08x}", "H100", at) for at in range(devices)]
    script.say("coordinator", ev.RunStarted("job", "cost", (gpus[0],), 9 * devices))
    planned = [ev.PlannedFile(f"{at}.fa", 100, 100 + at % 7) for at in range(9 * devices)]
    for first in range(0, len(planned), 100):
        script.say("coordinator", ev.FilesAssigned(gpus[0].key, tuple(planned[first : first + 100])))
    script.say(f"worker-{gpus[0].index}", ev.FileFailed(gpus[0].key, "0.fa", 1, "OSError", 0.1, final=False))
    for gpu in gpus:
        script.clock.advance(0.5)
        script.say("coordinator", ev.DeviceJoined(gpu))
        script.say(f"worker-{gpu.index}", ev.WorkerStarted(gpu, 100))
    for at in range(8):
        seconds = 10.0 if at < 4 else 40.0
        script.clock.advance(seconds)
        for number, gpu in enumerate(gpus):
            file = f"{number * 9 + at}.fa"
            script.clock.advance(0.01)
            script.say(f"worker-{number}", ev.FileStarted(gpu.key, file, 1))
            script.say(f"worker-{number}", ev.FileCompleted(gpu.key, file, 1, 100, seconds))
    fleet = FleetState(script.clock)
    fleet.feed(script.frames(), script.clock.mono_ns())
    return fleet


def test_twice_the_devices_with_speeds_that_change_take_at_most_twice_the_steps() -> None:
    few, many = (likely_outlook(fleet_that_grows(devices))[0] for devices in (50, 100))
    assert all(len(speed.phases) == 2 for speed in many.speeds.values())
    assert steps(lambda: figures_of(many)) <= 2.1 * steps(lambda: figures_of(few))
