"""A run of two GPUs as a script of events, and its fold."""

from __future__ import annotations

from virnucpro_bus import events as ev
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.metrics import GpuMetrics
from virnucpro_bus.testing import Script

FAST, SLOW = Device("GPU-a", "A100", 0), Device("GPU-b", "V100", 1)


def begun() -> Script:
    """A run of two devices whose workers w0 and w1 have just started."""
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "threshold", (FAST, SLOW), 4))
    script.say("w0", ev.WorkerStarted(FAST, 100))
    script.say("w1", ev.WorkerStarted(SLOW, 101))
    return script


def folded(script: Script) -> HostFold:
    fold = HostFold("node")
    for envelope in script.envelopes:
        fold.apply(envelope)
    return fold


def row(script: Script, device: Device = FAST, after_seconds: float = 0.0) -> GpuMetrics:
    """The figures of one of the two, so long after what was said last."""
    rows = folded(script).metrics(script.clock.mono_ns() + round(after_seconds * 1e9))
    return next(each for each in rows if each["uuid"] == device.key)
