"""Files processed on one GPU that is sampled four times during each."""

from __future__ import annotations

from typing import Any

from virnucpro_bus import events as ev
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.testing import Script

GPU = Device("GPU-a", "A100", 0)


def look(script: Script, percent: float | None, memory: int | None, joules: int | None, **more: Any) -> None:
    energy = None if joules is None else 1000 * joules
    sample = ev.GpuSampled(GPU, percent, memory_used_bytes=memory, energy_millijoules=energy, **more)
    script.say("sampler", sample, after_seconds=0.5)


def watched(*files: str) -> Script:
    """Each file takes two seconds, in which the GPU is looked at four times."""
    script = Script()
    look(script, 0, 1, 0)
    for at, file in enumerate(files):
        for part in range(4):
            look(script, 10 * at + part, 100 + at, 50 * (4 * at + part + 1))
        script.say("w0", ev.FileCompleted("GPU-a", file, 1, 7, 2.0))
    return script
