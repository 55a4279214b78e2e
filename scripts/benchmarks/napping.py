"""A job that sleeps: a file of work N takes N / WORK_PER_SECOND / speed seconds. For `bench makespan`.

The work stands in the file's name ("f17_250000.fa"), for its size may say something else.
"""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic, sleep

from workers.jobs import JobContext

WORK_PER_SECOND = 1_000_000

Nap = tuple[float, float, float, int]
"""Begin and end on the clock of the machine, the speed, and the process."""


def nap(work: int, speed: float) -> Nap:
    """Sleep."""
    began = monotonic()
    sleep(work / WORK_PER_SECOND / speed)
    return began, monotonic(), speed, os.getpid()


def job(input: Path, output: Path, context: JobContext) -> int:
    """The job-option `speeds` has the speed of cpu:0, cpu:1 ..., with commas."""
    speed = float(context.options["speeds"].split(",")[int(context.device_key.partition(":")[2])])
    done = nap(int(input.stem.partition("_")[2]), speed)
    (output / f"{input.stem}.nap").write_text(" ".join(map(str, done)))
    return 1
