"""What a job is, and how one is named on the command line.

A job turns one input file into result files:

    def job(input: Path, output: Path, context: JobContext) -> int

`input` is absolute; `output` is an empty folder of this attempt, and every file left in it becomes a result; the
return value is the number of sequences done. A spec names it: "sixframe", "shell:CMD ..." or "MODULE:ATTR",
where ATTR is such a callable, or a class that is made once in each worker with the context (load the model
there) and whose instance is called so.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from operator import attrgetter, index
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible
from workers.jobs.shell import check_template, shell_job
from workers.jobs.sixframe import chunk_option, run_sixframe

MAX_PROGRESS_PER_SECOND = 4
SHELL_PREFIX = "shell:"
_PROGRESS_INTERVAL_NS = NANOSECONDS // MAX_PROGRESS_PER_SECOND
# What an event can carry.
_MAX_COUNT = 2**63 - 1


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
        """The device's identity on the bus: a GPU's UUID, or "cpu:N"."""
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
        count = _count(sequences)
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


def check_job(spec: str, options: Mapping[str, str]) -> None:
    """Check all that can be checked without importing a user's module. Raises UserError."""
    for text in (spec, *options, *options.values()):
        if not _is_unicode(text):
            raise UserError(f"{visible(text)}: a job and its options must be UTF-8 text")
    if spec == "sixframe":
        chunk_option(options)
    elif spec.startswith(SHELL_PREFIX):
        check_template(spec.removeprefix(SHELL_PREFIX))
        if options:
            raise UserError(f"a shell: job takes no --job-option (given: {visible(min(options))})")
    else:
        _module_and_attribute(spec)


def make_job(spec: str, context: JobContext) -> Callable[[Path, Path], int]:
    """The job that `spec` names, ready to be called with input and output folder; for use in a worker.

    A module is also looked for in the current folder. Raises UserError when the job cannot be had. The callable
    raises what the job raises, and UserError when the job does not return a count.
    """
    check_job(spec, context.options)
    job = load_job(spec, context)

    def run(input: Path, output: Path) -> int:
        context.begin_file()
        returned: object = job(input, output, context)
        sequences = _count(returned)
        if sequences is None:
            raise UserError(
                f"job {_shown(spec)} returned {_brief(returned)}; it must return the number of sequences done"
            )
        return sequences

    return run


def load_job(spec: str, context: JobContext) -> Job:
    """The bare job that a checked `spec` names; a class is made with `context`. Raises UserError."""
    if spec == "sixframe":
        return run_sixframe
    if spec.startswith(SHELL_PREFIX):
        return shell_job(spec.removeprefix(SHELL_PREFIX))
    module, attribute = _module_and_attribute(spec)
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = attrgetter(attribute)(importlib.import_module(module))
        made = found(context) if isinstance(found, type) else found
    except Exception as error:
        # Whatever a user's module does wrong while it loads, the run cannot begin and the user can mend it.
        raise UserError(f"job {_shown(spec)} cannot be loaded: {type(error).__name__}: {_brief(error)}") from error
    if not callable(made):
        raise UserError(f"job {_shown(spec)} is not callable but {_brief(made)}")
    job: Job = made
    return job


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _module_and_attribute(spec: str) -> tuple[str, str]:
    module, colon, attribute = spec.partition(":")
    if not colon:
        raise UserError(
            f"unknown job {_shown(spec)}; give sixframe, MODULE:ATTR or 'shell:CMD {{input}} {{output}}'"
        )
    if not all(name.isidentifier() for name in [*module.split("."), *attribute.split(".")]):
        raise UserError(f"job {_shown(spec)} is not of the form MODULE:ATTR, such as mypackage.jobs:run")
    return module, attribute


def _count(value: object) -> int | None:
    """`value` as an int, if it is a count (a numpy integer is one, True is not); else None."""
    if isinstance(value, bool):
        return None
    try:
        count = index(value)  # type: ignore[arg-type]
    except TypeError:
        return None
    return count if 0 <= count <= _MAX_COUNT else None


def _shown(spec: str) -> str:
    return f"'{visible(spec)}'"


def _brief(thing: object) -> str:
    """`thing` on one line: an exception's text, another object's repr."""
    text = str(thing) if isinstance(thing, Exception) else repr(thing)
    return visible(text.strip().partition("\n")[0][:300])
