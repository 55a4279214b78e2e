"""The throughput of a run that is over is that of the whole run, and no longer falls with time."""

from __future__ import annotations

import pytest

from virnucpro_bus import events as ev
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script

FAST, SLOW = ev.Device("cpu:0"), ev.Device("cpu:1")


def played(*last: ev.Fact) -> list[float | None]:
    """The throughputs after 600 s of work, in which each device did 1,200 sequences, and 400 s more."""
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "cost", (FAST, SLOW), 4))
    for device in (FAST, SLOW):
        files = [ev.PlannedFile(f"{device.key}.{number}", 1, 1) for number in (0, 1)]
        script.say("coordinator", ev.FilesAssigned(device.key, tuple(files)))
    for after, device, number, seconds in ((60, FAST, 0, 60), (60, FAST, 1, 60), (180, SLOW, 0, 300)):
        done = ev.FileCompleted(device.key, f"{device.key}.{number}", 1, 600, float(seconds))
        script.say(f"worker-{device.key}", done, after_seconds=after)
    script.say("worker-cpu:1", ev.FileCompleted("cpu:1", "cpu:1.1", 1, 600, 300.0), after_seconds=300)
    script.clock.advance(400)
    for event in last:
        script.say("coordinator", event)
    fleet = FleetState(script.clock, local_host="node")
    fleet.feed(script.frames())
    return [row["throughput"] for row in fleet.get_gpu_metrics()]


def test_while_a_run_continues_the_throughput_of_an_idle_device_falls() -> None:
    assert played() == pytest.approx([1.2, 1.2])


def test_once_it_is_over_the_throughputs_of_all_devices_add_up_to_what_it_did_while_it_worked() -> None:
    assert played(ev.RunFinished(0, 4, 0)) == pytest.approx([2.0, 2.0])
