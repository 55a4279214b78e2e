"""A run that ended early or was interrupted: no device is busy, and no end is expected."""

from __future__ import annotations

import pytest

from monitor.model.collector import Collector, Failures
from monitor.view.frame import frame
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script

FIRST, SECOND = ev.Device("cpu:0", "CPU"), ev.Device("cpu:1", "CPU")


def run_in_the_middle() -> Script:
    """Of four files one is done and one is in hand; one worker has been ended by force."""
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "off", (FIRST, SECOND), 4))
    for number, device in enumerate((FIRST, SECOND)):
        script.say(f"worker-{number}", ev.WorkerStarted(device, 100 + number))
        script.say(f"worker-{number}", ev.FileStarted(device.key, f"{number}.fa", 1), after_seconds=1)
    script.say("worker-0", ev.FileCompleted(FIRST.key, "0.fa", 1, 10, 2.0), after_seconds=1)
    script.say("worker-0", ev.FileStarted(FIRST.key, "2.fa", 1))
    script.say("coordinator", ev.WorkerLost(SECOND.key, "worker-1", 1, "was ended", "1.fa", 1), after_seconds=1)
    return script


def fleet_of(script: Script) -> FleetState:
    now_ns = script.clock.mono_ns()
    fleet = FleetState(ManualClock(script.clock.wall_ns(), now_ns), "node")
    fleet.feed(script.frames(), now_ns)
    return fleet


def states(fleet: FleetState) -> list[tuple[str, str | None]]:
    return [(row["state"], row["current_file"]) for row in fleet.get_gpu_metrics()]


def picture(fleet: FleetState) -> str:
    snapshot = Collector(fleet, fleet, ManualClock(), Failures()).collect("", None)
    return "\n".join(line.plain for line in frame(snapshot, 100, 24))


def test_during_the_run_devices_are_busy_and_an_end_is_expected() -> None:
    fleet = fleet_of(run_in_the_middle())
    assert states(fleet) == [("busy", "2.fa"), ("lost", None)]
    assert "ETA " in picture(fleet)
    assert not fleet.finished


def test_in_an_interrupted_run_no_device_is_busy_and_no_end_is_expected() -> None:
    fleet = fleet_of(run_in_the_middle())
    fleet.break_off()
    assert states(fleet) == [("stopped", None), ("lost", None)]
    assert fleet.finished
    assert "ended early" in picture(fleet)
    assert "ETA" not in picture(fleet)
    effect = fleet.get_effect()
    assert effect["makespan_expected_seconds"] == effect["makespan_seconds"]


def test_its_time_stands_still() -> None:
    script = run_in_the_middle()
    clock = ManualClock(script.clock.wall_ns(), script.clock.mono_ns())
    fleet = FleetState(clock, "node")
    fleet.feed(script.frames(), clock.mono_ns())
    fleet.break_off()
    before = fleet.elapsed_seconds()
    clock.advance(3600)
    assert fleet.elapsed_seconds() == before == 4.0


def test_a_run_that_is_over_cannot_be_broken_off() -> None:
    script = run_in_the_middle()
    script.say("coordinator", ev.RunFinished(3, 1, 0))
    fleet = fleet_of(script)
    fleet.break_off()
    assert states(fleet) == [("busy", "2.fa"), ("lost", None)]


def test_workers_without_a_launcher_may_be_busy_after_their_hub_is_gone() -> None:
    script = Script()
    script.say("mine", ev.WorkerStarted(FIRST, 100))
    script.say("mine", ev.FileStarted(FIRST.key, "0.fa", 0))
    fleet = fleet_of(script)
    fleet.break_off()
    assert states(fleet) == [("busy", "0.fa")]
    assert not fleet.finished


@pytest.mark.parametrize(("exit_code", "state"), [(130, "stopped"), (143, "stopped"), (3, "lost")])
def test_workers_that_were_ended_with_an_interrupted_run_are_no_trouble(exit_code: int, state: str) -> None:
    script = run_in_the_middle()
    script.say("worker-0", ev.WorkerStopped(FIRST.key, "finished"))
    script.say("coordinator", ev.RunFinished(exit_code, 1, 0))
    fleet = fleet_of(script)
    assert [row["state"] for row in fleet.get_gpu_metrics()] == ["stopped", state]
    assert "ETA" not in picture(fleet)
    assert "ended early" in picture(fleet)
