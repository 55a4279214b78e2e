"""Fleets fed with the events of a few hosts."""

from __future__ import annotations

from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script

GPU = Device("GPU-a", "A100", 0)


def worked(host: str, device: Device = GPU, *, clock_off_ns: int = 0) -> Script:
    """A host whose one worker has done 100 sequences in the 4 s that have just ended."""
    script = Script(host=host)
    script.clock.mono += clock_off_ns
    script.say("w0", ev.WorkerStarted(device, 100))
    script.say("w0", ev.FileCompleted(device.key, "a.fa", 1, 100, 4.0), after_seconds=4)
    script.say("w0", ev.Heartbeat(device.key, "idle", 1, 0, 100, 0, 0))
    return script


def sampled(host: str, device: Device = GPU, percent: float = 50.0) -> Script:
    script = Script(host=host)
    script.say("sampler", ev.GpuSampled(device, percent, 25.0, 1, 4, 60.0, 200.0))
    return script


def fed(clock: ManualClock, *scripts: Script, local_host: str | None = "here") -> FleetState:
    """What a viewer on `local_host` knows that has just received all of it."""
    fleet = FleetState(clock, local_host)
    for script in scripts:
        fleet.feed(script.frames(), clock.mono_ns())
    return fleet
