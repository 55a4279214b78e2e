"""A job that sleeps: a file of N bytes takes N / BYTES_PER_SECOND / speed seconds. For `bench makespan`."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic, sleep

from workers.jobs import JobContext

BYTES_PER_SECOND = 1_000_000


def nap(size_bytes: int, speed: float) -> tuple[float, float]:
    """Sleep; returns begin and end, on the clock of the machine."""
    began = monotonic()
    sleep(size_bytes / BYTES_PER_SECOND / speed)
    return began, monotonic()


def job(input: Path, output: Path, context: JobContext) -> int:
    """The job-option `speeds` has the speed of cpu:0, cpu:1 ..., with commas."""
    speeds = context.options["speeds"].split(",")
    began, ended = nap(os.path.getsize(input), float(speeds[int(context.device_key.partition(":")[2])]))
    (output / f"{input.stem}.times").write_text(f"{began} {ended}\n")
    return 1
