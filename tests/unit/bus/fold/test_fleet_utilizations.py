"""Asked of all GPUs at once, a fleet says what it says of each."""

from __future__ import annotations

from hypothesis import given

from tests.support.runs import DEVICES, MadeRun, made_runs
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION


def fleet_of(run: MadeRun) -> FleetState:
    fleet = FleetState(run.script.clock)
    fleet.feed(run.script.frames())
    return fleet


@given(run=made_runs())
def test_of_one_bus(run: MadeRun) -> None:
    fleet = fleet_of(run)
    every = fleet.get_gpu_utilizations()
    for device in DEVICES:
        assert every.get(device.key, UNKNOWN_UTILIZATION) == fleet.get_gpu_utilization(device.key)


@given(one=made_runs(), other=made_runs())
def test_of_several_buses(one: MadeRun, other: MadeRun) -> None:
    fleets = FleetGroup({"one": fleet_of(one), "other": fleet_of(other)})
    every = fleets.get_gpu_utilizations()
    for device in DEVICES:
        assert every.get(device.key, UNKNOWN_UTILIZATION) == fleets.get_gpu_utilization(device.key)
