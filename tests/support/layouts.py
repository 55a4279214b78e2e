"""A run in which two workers share a GPU, and one uses two GPUs, as a script of events."""

from __future__ import annotations

from virnucpro_bus import events as ev
from virnucpro_bus.device_keys import join_gpus, share
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.testing import Script

A, B, C = (Device(f"GPU-{name}", "A100", index) for index, name in enumerate("abc"))
SHARED, JOINED = share(A, 2), join_gpus([B, C])
DEVICES = (*SHARED, JOINED)


def laid_out() -> Script:
    """The three workers are up, and all GPUs were sampled for 4 s: loads of 90, 20 and 40 %, and 1 J a second."""
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "cost", DEVICES, 4))
    for number, device in enumerate(DEVICES):
        script.say(f"worker-{number}", ev.WorkerStarted(device, 100 + number))
    sample(script, 1_000)
    sample(script, 3_000, after_seconds=2)
    sample(script, 5_000, after_seconds=2)
    return script


def sample(script: Script, millijoules: int, after_seconds: float = 0.0, lost: tuple[Device, ...] = ()) -> None:
    """A sample of each GPU."""
    for gpu, load in zip((A, B, C), (90.0, 20.0, 40.0), strict=True):
        event = ev.GpuSampled(gpu, load, 50.0, 1, 2, 60.0, 100.0, gpu in lost, millijoules)
        script.say("sampler", event, after_seconds=after_seconds)
        after_seconds = 0.0


def complete_files(script: Script) -> Script:
    """Each worker completes a file that took those 4 s."""
    for number, device in enumerate(DEVICES):
        script.say(f"worker-{number}", ev.FileCompleted(device.key, f"{number}.fa", 1, 1, 4.0))
    return script
