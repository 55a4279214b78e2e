"""Devices that come late, never or not for long: recorded, and simulated as they were."""

from __future__ import annotations

import math

import pytest

from tests.support.driven_coordinator import ready
from tests.support.effects import alternatives
from tests.support.simulated_runs import ImaginedRun
from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script
from workers.whatif.recorded_run import make_recorded_run
from workers.whatif.scenarios import Variation

POLICY = "threshold"


def late_run(*, ready_after: float | None = None) -> Script:
    """cpu:1, thrice as fast, joins 10 s after cpu:0; cpu:2 has no file, and is ready after `ready_after`."""
    script = Script()
    devices = tuple(Device(f"cpu:{number}") for number in range(3))
    script.say("coordinator", ev.RunStarted("job", "off", devices, 6))
    for device, names in zip(devices, (["a", "b", "c"], ["d", "e", "f"], []), strict=True):
        files = tuple(ev.PlannedFile(name, 30, 30) for name in names)
        script.say("coordinator", ev.FilesAssigned(device.key, files))
    began_ns = script.clock.mono_ns()
    ends = [(30, 0, "a"), (20, 1, "d"), (30, 1, "e"), (60, 0, "b"), (40, 1, "f"), (90, 0, "c")]
    for seconds, slot, file in ends:
        script.clock.mono = began_ns + seconds * NANOSECONDS
        script.say(f"worker-{slot}", ev.FileCompleted(f"cpu:{slot}", file, 1, 1, 10.0 if slot else 30.0))
    if ready_after is not None:
        script.clock.mono = began_ns + int(ready_after * NANOSECONDS)
        script.say("worker-2", ready(devices[2]))
    return script


def test_a_device_that_came_late_comes_late_again() -> None:
    fleet = FleetState(ManualClock())
    fleet.feed(late_run(ready_after=25.0).frames())
    recording = make_recorded_run(fleet)
    assert [each.joins_at_seconds for each in recording.devices] == [0.0, 10.0, 25.0]
    # One that has completed nothing is like the others.
    like_both = math.sqrt(1.0 * 3.0)
    assert [each.speed for each in recording.devices] == pytest.approx([1.0, 3.0, like_both])
    [(name, makespan)] = alternatives(late_run(ready_after=25.0), Variation(policy="off", drop=["cpu:0", "cpu:1"]))
    assert name == "1 device"
    assert makespan == pytest.approx(180.0 / like_both)


def test_time_counts_from_the_first_file_of_those_who_take_part() -> None:
    # cpu:1 alone does all six, 10 s each, and would not have waited 10 s for cpu:0.
    [(name, makespan)] = alternatives(late_run(), Variation(policy="off", drop=["cpu:0", "cpu:2"]))
    assert name == "1 device"
    assert makespan == pytest.approx(60.0)


def test_half_the_devices_are_the_first_ones_as_they_came_and_added_ones_come_as_the_median_one_did() -> None:
    [(_, makespan)] = alternatives(
        late_run(ready_after=25.0), Variation("off", devices=2, drop=["cpu:0", "cpu:1"])
    )
    # Three files each, of 30 units, on devices like cpu:2, from when both come in.
    like_both = math.sqrt(1.0 * 3.0)
    assert makespan == pytest.approx(90.0 / like_both)
    found = dict(alternatives(late_run(ready_after=25.0), Variation(policy="off")))
    assert found["half the devices"] == pytest.approx(180.0)
    # cpu:0, 1, 2 come at 0, 10 and 25 s, the three added ones, like cpu:2, at 10 s; each does one file.
    assert found["double the devices"] == pytest.approx(25.0 + 30.0 / like_both)


def test_files_of_a_device_that_was_never_ready_are_left_where_no_device_steals_them() -> None:
    for policy, is_unknown in (("off", True), ("cost", False)):
        [(_, makespan)] = alternatives(late_run(), Variation(policy=policy, weights="1,1,1"))
        assert (makespan is None) == is_unknown


def test_a_device_that_was_lost_for_good_is_lost_again() -> None:
    script = Script()
    devices = (Device("cpu:0"), Device("cpu:1"))
    script.say("coordinator", ev.RunStarted("job", "off", devices, 4))
    for device, names in zip(devices, ("ab", "cd"), strict=True):
        files = tuple(ev.PlannedFile(name, 10, 10) for name in names)
        script.say("coordinator", ev.FilesAssigned(device.key, files))
    for slot in (0, 1):
        script.say(f"worker-{slot}", ev.WorkerStarted(devices[slot], 100))
    script.say("worker-0", ev.FileCompleted("cpu:0", "a", 1, 1, 10.0), after_seconds=10.0)
    script.say("worker-1", ev.FileCompleted("cpu:1", "c", 1, 1, 10.0))
    script.say("coordinator", ev.WorkerLost("cpu:1", "worker-1", 1, "was killed"), after_seconds=3.0)
    script.say("worker-0", ev.FileCompleted("cpu:0", "b", 1, 1, 10.0), after_seconds=7.0)
    script.say("worker-0", ev.FileCompleted("cpu:0", "d", 1, 1, 10.0), after_seconds=10.0)
    name, makespan = alternatives(script, Variation(policy="off"))[0]
    assert name == "same devices"
    assert makespan == pytest.approx(30.0)


def test_devices_that_were_ended_when_the_run_was_interrupted_are_not_lost() -> None:
    run = ImaginedRun([10] * 6, [1.0, 1.0], POLICY)
    run.work(until_seconds=25.0)
    for slot in (0, 1):
        run.script.say("coordinator", ev.WorkerLost(f"cpu:{slot}", f"worker-{slot}", 1, "was killed"))
    assert [each.lost_at_seconds for each in make_recorded_run(run.fleet()).devices] == [None, None]
