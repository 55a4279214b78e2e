"""What a job is, and what it is told.

A job turns one input file into result files:

    def job(input: Path, output: Path, context: JobContext) -> int

`input` is absolute; `output` is an empty folder of this attempt, and every file left in it becomes a result; the
return value is the number of sequences done.

A job may say how much work is in a file, where its size does not tell:

    job.estimate = lambda path: number of windows, or seconds, or whatever grows with the time it takes

(of a class: a static method `estimate(path)`, for the class is not made for that). The numbers, from 0 to 1e12,
take the place of bases in plan and stealing: only their ratios matter, and the rate of each device is measured.
It is asked once, for all files, before the run, in a process of its own without a GPU; where one of the numbers
cannot be had the run goes by bases. It is looked for where the module's own text has the word "estimate".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import index
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.events.vocabulary import MAX_COUNT

MAX_PROGRESS_PER_SECOND = 4
_PROGRESS_INTERVAL_NS = NANOSECONDS // MAX_PROGRESS_PER_SECOND
# What an event can carry.


class JobContext:
    """What a job is told about where it runs; one for the life of a worker. For the job's own thread only."""

    def __init__(
        self,
        device: str,
        device_key: str,
        options: Mapping[str, str],
        *,
        on_progress: Callable[[int], object],
        clock: Clock,
    ) -> None:
        """`on_progress` takes the sequences done so far within the file in hand, at most 4 times a second."""
        self.device = device
        """What a framework calls the device in this process: "cuda:0" (no other GPU is visible) or "cpu"."""
        self.device_key = device_key
        """The device's identity on the bus: a GPU's UUID, "cpu:N", or "sim:N" for a GPU that is made up."""
        self.options: Mapping[str, str] = MappingProxyType(dict(options))
        """The --job-option values, read-only."""
        self._on_progress = on_progress
        self._clock = clock
        self._sequences = 0
        self._not_before_ns = 0

    def progress(self, sequences: int) -> None:
        """Say how many sequences of this file are done so far, as often as you like.

        What makes no sense (not a count, or less than was said before) is passed over without an error.
        """
        count = count_of(sequences)
        if count is None or count <= self._sequences:
            return
        self._sequences = count
        now_ns = self._clock.mono_ns()
        if now_ns >= self._not_before_ns:
            self._not_before_ns = now_ns + _PROGRESS_INTERVAL_NS
            self._on_progress(count)

    def begin_file(self) -> None:
        """Count from 0 again. Called by what `make_job` returns, not by jobs."""
        self._sequences = 0


class Job(Protocol):
    """Works one file. Whatever it raises fails this file, and no other."""

    def __call__(self, input: Path, output: Path, context: JobContext, /) -> int:
        """Leave the results of `input` in the folder `output`; the number of sequences done."""
        ...


def count_of(value: object) -> int | None:
    """`value` as an int, if it is a count (a numpy integer is one, True is not); else None."""
    if isinstance(value, bool):
        return None
    try:
        count = index(value)  # type: ignore[arg-type]
    except TypeError:
        return None
    return count if 0 <= count <= MAX_COUNT else None
