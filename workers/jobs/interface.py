"""The interface of a job, and the context that it gets.

A job turns one input file into result files:

    def job(input: Path, output: Path, context: JobContext) -> int

`input` is an absolute path. `output` is an empty folder of this attempt; every file left in it becomes a result.
The return value is the number of sequences done. An exception, of any class, fails the file, which is tried again,
unless it is a `DoNotRetry`. A job that returns something else than a count, or removes the folder, would do so for
every file: the run ends at the first. What is doubtful about a file, although it does not fail, the job reports by
`context.warn`.

A job can estimate how much work is in a file, if the file's size does not show it:

    job.estimate = lambda path: ...     # a number of windows, or seconds, or whatever grows with the time it takes

For a class it is a static method `estimate(path)`, because no instance is created for it. The numbers, from 0 to
1e12, replace the sizes in plan and stealing: only their ratios matter, and the rate of each device is measured.
`estimate` is called once for each file, before the run, in a process of its own without a GPU. If one call fails,
the run goes by the sizes. `estimate` is used only if the module's source contains the word "estimate".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import index
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.events.vocabulary import MAX_COUNT, REASON_CHARACTERS
from virnucpro_bus.text import visible

MAX_PROGRESS_PER_SECOND = 4
ESTIMATE = "estimate"
"""The name of a job's function that estimates the work in a file."""
COST_PER_UNIT = 1_000_000
"""Costs are whole numbers: one unit of a job's estimates is so many."""
_PROGRESS_INTERVAL_NS = NANOSECONDS // MAX_PROGRESS_PER_SECOND


class JobContext:
    """The device and options of a job, and its way to report progress and warnings; one for each worker.

    For the job's own thread only.
    """

    def __init__(
        self,
        device: str,
        device_key: str,
        options: Mapping[str, str],
        *,
        on_progress: Callable[[int, int | None], object],
        clock: Clock,
        devices: Sequence[str] = (),
    ) -> None:
        """`on_progress` gets the sequences done so far in the file and their total, at most 4 times a second.

        `devices` are all that the job may use; by default `device` alone.
        """
        self.device = device
        """The device's name for a framework: "cuda:0", the first of the GPUs that are this worker's, or "cpu"."""
        self.devices = tuple(devices) or (device,)
        """All GPUs of this worker, as "cuda:0", "cuda:1" with --devices cuda:0+1; the process sees no others."""
        self.device_key = device_key
        """The device's identity on the bus: a GPU's UUID, "cpu:N", "sim:N" for a simulated GPU; "#1" behind it is
        worker number 1 of several on that GPU, and "+" joins the GPUs of one worker."""
        self.options: Mapping[str, str] = MappingProxyType(dict(options))
        """The values of --job-option, read-only."""
        self.warning: str | None = None
        """The first warning about this file, in one printable line; None: there is none."""
        self._on_progress = on_progress
        self._clock = clock
        self._sequences = 0
        self._next_report_ns = 0

    def progress(self, sequences: int, total: int | None = None) -> None:
        """Report how many sequences of this file are done so far, as often as you like.

        With their `total` the time that is left is known while the first files are in progress. A value that is
        not a count, or not more than the one before, is ignored; a `total` that is not a count is unknown.
        """
        count = count_of(sequences)
        if count is None or count <= self._sequences:
            return
        self._sequences = count
        now_ns = self._clock.mono_ns()
        if now_ns >= self._next_report_ns:
            self._next_report_ns = now_ns + _PROGRESS_INTERVAL_NS
            self._on_progress(count, count_of(total))

    def warn(self, text: str) -> None:
        """Warn the user of something about this file that does not make it fail, in one line.

        The first warning of a file is reported once the file is completed; later ones are ignored.
        """
        if self.warning is None:
            self.warning = visible(" ".join(str(text).split()))[:REASON_CHARACTERS]

    def begin_file(self) -> None:
        """Start counting from 0, without a warning. Called by what `make_job` returns, not by jobs."""
        self._sequences = 0
        self.warning = None


class Job(Protocol):
    """Processes one file. An exception that it raises fails this file, and no other."""

    def __call__(self, input: Path, output: Path, context: JobContext, /) -> int:
        """Write the results of `input` into the folder `output`; return the number of sequences done."""
        ...


def count_of(value: object) -> int | None:
    """Return `value` as an int if it is a count (a numpy integer is one, True is not), else None."""
    if isinstance(value, bool):
        return None
    try:
        count = index(value)  # type: ignore[arg-type]
    except Exception:
        return None  # its __index__, which may be a user's, does not give one
    return count if 0 <= count <= MAX_COUNT else None
