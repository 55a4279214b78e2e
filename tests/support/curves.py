"""GPU samples of known curves, in made-up captures, with the exact mean, peak and energy of any interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.raw_captures import MadeCapture

UUID = "GPU-c0ffee"
DENSE, SPARSE = 0.25, 0.75
"""Seconds between samples: the driver answers sooner under load, so that samples are not weights."""
GIB = 2**30
PERIOD = 60.0
STEP = 10.0


@dataclass(frozen=True)
class Curve:
    """The load of a GPU in percent at any time in seconds, and its integral from 0, which is known exactly."""

    name: str
    at: Callable[[float], float]
    integral: Callable[[float], float]
    error: Callable[[float], float]
    """How far the mean over so many seconds may be off, because only samples are known."""

    def mean(self, start: float, end: float) -> float:
        return (self.integral(end) - self.integral(start)) / (end - start)

    def joules(self, at: float) -> float:
        """The energy used from 0 on: 100 W when idle and 300 W under full load."""
        return 100 * at + 2 * self.integral(at)

    def memory_bytes(self, at: float) -> int:
        return round(GIB * (1 + self.at(at)))


def _step_integral(at: float) -> float:
    """The load is 0 and 90 % in turn."""
    pairs, rest = divmod(at, 2 * STEP)
    return 90.0 * (pairs * STEP + max(0.0, rest - STEP))


_SPEED = 2 * math.pi / PERIOD
CURVES = [
    Curve(
        "sine",
        lambda at: 50 + 40 * math.sin(_SPEED * at),
        lambda at: 50 * at + 40 * (1 - math.cos(_SPEED * at)) / _SPEED,
        # In the middle of a file the samples are exact enough: at its ends one stands for up to half of SPARSE.
        lambda seconds: 0.05 + min(40 * _SPEED * SPARSE / 2, 40 * _SPEED * SPARSE * SPARSE / seconds),
    ),
    Curve("ramp", lambda at: at / 12, lambda at: at * at / 24, lambda _: 0.05),
    Curve(
        "steps",
        lambda at: 90.0 * (at % (2 * STEP) >= STEP),
        _step_integral,
        lambda seconds: 90 * (SPARSE if seconds < STEP else DENSE + SPARSE) / seconds,
    ),
]


def add_samples(made: MadeCapture, curve: Curve, seconds: float) -> None:
    """Sample the GPU from 0 on for so long."""
    device = [UUID, "A100", 0]
    at = 0.0
    while at <= seconds:
        percent, used = curve.at(at), curve.memory_bytes(at)
        figures = [percent, 50.0, used, 200 * GIB, 60.0, 200.0, False, round(1_000 * curve.joules(at))]
        made.add(at, "gpu.sampled/", [device, *figures], source="sampler")
        at += DENSE if percent > 50 else SPARSE


def add_files(made: MadeCapture, lengths: list[float], until: float) -> dict[str, tuple[float, float]]:
    """Let a worker on the GPU do files of these lengths in turn; returns the start and end of each."""
    made.add(0.0, "worker.started/", [[UUID, "A100", 0], 1])
    at, spans = 5.1, dict[str, tuple[float, float]]()
    while at + (seconds := lengths[len(spans) % len(lengths)]) < until:
        name = f"f{len(spans)}"
        spans[name] = at, at + seconds
        made.add(at, "file.started/", [UUID, name, 1])
        made.add(at + seconds, "file.completed/", [UUID, name, 1, 10, seconds])
        at += seconds + 0.37
    return spans
