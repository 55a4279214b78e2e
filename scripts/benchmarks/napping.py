"""The jobs of real benchmark runs, which sleep as `naps.py` says."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

from naps import WORK_PER_SECOND, keep, nap, work_of

from workers.jobs import JobContext


def job(input: Path, output: Path, context: JobContext) -> int:
    """Sleep, and write the nap as a result. The job option `speeds` lists the speeds of cpu:0, cpu:1 and so on."""
    done = nap(work_of(input), float(context.options["speeds"].split(",")[_number_of(context)]))
    keep(done, output, input.stem)
    return 1


class Shaped:
    """A job that starts late, takes a fixed time for every file, fails, slows down, or is killed for good.

    Its options besides `speeds`, all but `folder` optional:
    folder          for the marks of this run; the workers wait there for each other, so that all start at once
    startup         seconds of each device from then on until it is ready
    fixed           seconds that every file takes, whatever its work and the speed
    fails           N: the first attempt at every N-th file fails half-way
    slows, lost     seconds until the last device slows to a quarter of its speed, or is killed whenever it starts
    """

    def __init__(self, context: JobContext) -> None:
        options, number = context.options, _number_of(context)
        speeds = [float(speed) for speed in options["speeds"].split(",")]
        is_last = number == len(speeds) - 1
        self._folder = Path(options["folder"])
        self._lost_mark = self._folder / f"{number}.lost"
        if self._lost_mark.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        (self._folder / f"{number}.up").touch()
        while len(list(self._folder.glob("*.up"))) < len(speeds):
            sleep(0.005)
        sleep(float(options.get("startup", "0,0,0,0").split(",")[number]))
        self._speed = speeds[number]
        self._fixed = float(options.get("fixed", 0))
        self._fails = int(options.get("fails", 0))
        self._slows_at = monotonic() + float(options.get("slows", "inf") if is_last else "inf")
        self._lost_at = monotonic() + float(options.get("lost", "inf") if is_last else "inf")

    def __call__(self, input: Path, output: Path, context: JobContext) -> int:
        """Sleep, and write when as a result. Raises RuntimeError where the attempt is one that fails."""
        began, work = monotonic(), work_of(input) / WORK_PER_SECOND
        mark = self._folder / f"{input.stem}.failed"
        fails = bool(self._fails) and int(input.stem[1:4]) % self._fails == 0 and not mark.exists()
        for seconds in self._naps(work / 2 if fails else work):
            sleep(max(0.0, min(seconds, self._lost_at - monotonic())))
            if monotonic() >= self._lost_at:
                self._lost_mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        if fails:
            mark.touch()
            raise RuntimeError("this attempt fails")
        keep((began, monotonic(), self._speed, os.getpid()), output, input.stem)
        return 1

    def _naps(self, work: float) -> Iterator[float]:
        """Yield how long to sleep for this much work: the fixed time, at full speed, and at a quarter of it."""
        yield self._fixed
        fast = min(work / self._speed, max(0.0, self._slows_at - monotonic()))
        yield fast
        yield (work - fast * self._speed) / (self._speed / 4)


def _number_of(context: JobContext) -> int:
    return int(context.device_key.partition(":")[2])
