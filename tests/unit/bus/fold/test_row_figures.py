"""Every row has the figures of its own GPU, though other runs and hosts have GPUs of the same name."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.model.collector import Collector, Failures
from tests.support.fleets import sampled
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION
from virnucpro_bus.testing import Script

SIMULATED = Device("sim:0", "simulated GPU", 0)
GPU = Device("GPU-a", "A100", 0)
DEVICES = pytest.mark.parametrize(
    "device", [SIMULATED, GPU, Device("nvml:0", "A100", 0)], ids=lambda each: each.key
)


def fed(*scripts: Script, clock: ManualClock | None = None) -> FleetState:
    clock = clock or ManualClock()
    fleet = FleetState(clock)
    for script in scripts:
        fleet.feed(script.frames(), clock.mono_ns())
    return fleet


def started(host: str = "node", device: Device = SIMULATED) -> Script:
    script = Script(host=host)
    script.say("coordinator", ev.RunStarted("job", "cost", (device,), 1))
    return script


def shown(fleet: FleetState | FleetGroup) -> list[float | None]:
    """The load of each row, the same in the report and on screen."""
    reported = [row["compute_percent"] for row in fleet.report()["devices"]]
    model = Collector(fleet, fleet, ManualClock(), Failures()).collect("", None)
    assert [utilization["compute_percent"] for _, utilization in model.rows] == reported
    return reported


@DEVICES
def test_two_runs_on_one_host_have_figures_of_their_own(device: Device) -> None:
    fleets = {name: fed(sampled("node", device, load)) for name, load in (("a", 10.0), ("b", 90.0))}
    assert shown(FleetGroup(fleets)) == [10.0, 90.0]


@DEVICES
def test_two_hosts_of_one_bus_have_figures_of_their_own(device: Device) -> None:
    assert shown(fed(sampled("a", device, 10.0), sampled("b", device, 90.0))) == [10.0, 90.0]


def test_a_run_that_was_not_sampled_yet_has_no_figures_of_another() -> None:
    fleets = FleetGroup({"a": fed(started()), "b": fed(sampled("node", SIMULATED, 90.0))})
    assert shown(fleets) == [None, 90.0]
    assert shown(fed(started("a"), sampled("b", SIMULATED, 90.0))) == [None, 90.0]


def test_a_gpu_is_known_by_its_uuid_from_whichever_bus_has_a_fresh_sample_of_it() -> None:
    clock = ManualClock()
    stale = fed(started(device=GPU), sampled("node", GPU, 10.0), clock=clock)
    clock.advance(10)
    fresh = fed(started("other", GPU), sampled("node", GPU, 90.0), clock=clock)
    assert shown(FleetGroup({"stale": stale, "none": fed(started(device=GPU), clock=clock)})) == [None, None]
    assert shown(FleetGroup({"stale": stale, "none": fed(started("c", GPU), clock=clock), "fresh": fresh})) == [
        90.0,  # host c
        90.0,
        90.0,
        90.0,  # the container "other"
    ]


def test_a_row_of_an_unknown_host_has_the_figures_of_the_only_gpu_of_its_name() -> None:
    def figures(*scripts: Script) -> Any:
        (row,) = fed(started("named otherwise")).get_gpu_metrics()
        return fed(*scripts).get_utilizations_of([row])[0]["compute_percent"]

    assert figures(sampled("a", SIMULATED, 10.0)) == 10.0
    assert figures(sampled("a", SIMULATED, 10.0), sampled("b", SIMULATED, 90.0)) is None


def test_simulated_gpus_are_marked_before_their_first_sample() -> None:
    (row,) = fed(started()).report()["devices"]
    assert {name: row[name] for name in UNKNOWN_UTILIZATION} == {**UNKNOWN_UTILIZATION, "simulated": True}  # type: ignore[literal-required]
    assert fed(started()).is_simulated
    assert fed(sampled("a")).is_simulated is fed(started(device=GPU)).is_simulated is False


def test_a_file_on_a_simulated_gpu_is_marked_though_it_was_never_sampled() -> None:
    script = started()
    script.say("worker-0", ev.FileCompleted("sim:0", "a.fa", 1, 1, 0.1))
    script.say("worker-1", ev.FileCompleted("cpu:0", "b.fa", 1, 1, 0.1))
    assert [file["simulated"] for file in fed(script).report()["files"]] == [True, None]
