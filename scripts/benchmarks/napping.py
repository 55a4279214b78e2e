"""The job of `bench makespan`, which sleeps: a file of work N takes N / WORK_PER_SECOND / speed seconds.

The work is in the file's name ("f17_250000.fa"), because its size may be a wrong estimate.
"""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic, sleep

from workers.jobs import JobContext

WORK_PER_SECOND = 1_000_000

Nap = tuple[float, float, float, int]
"""Begin and end on the machine's clock in seconds, the speed, and the process id."""


def nap(work: int, speed: float) -> Nap:
    """Sleep as long as the work takes at this speed."""
    began = monotonic()
    sleep(work / WORK_PER_SECOND / speed)
    return began, monotonic(), speed, os.getpid()


def job(input: Path, output: Path, context: JobContext) -> int:
    """Sleep, and write the nap as a result. The job option `speeds` lists the speeds of cpu:0, cpu:1 and so on."""
    speed = float(context.options["speeds"].split(",")[int(context.device_key.partition(":")[2])])
    done = nap(int(input.stem.partition("_")[2]), speed)
    (output / f"{input.stem}.nap").write_text(" ".join(map(str, done)))
    return 1
