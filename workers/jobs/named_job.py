"""A job with a name: what `--job NAME` stands for, and all that is known of it without loading it.

An entry point of the group `virnucpro_bus.jobs` names a `NamedJob`, and its own name is what `--job` takes. Its
module is imported by `run` and `jobs` too, so frameworks are imported by the module of the job itself alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from workers.jobs.requirements import Requirements

Options = Mapping[str, str]
"""The values of --job-option by name: those that were given, with no defaults."""


@dataclass(frozen=True)
class JobOption:
    """An option of a job, given as `--job-option NAME=VALUE`."""

    name: str
    help: str
    """What it does, in a few words, for `virnucpro-bus jobs`."""
    default: str | None = None
    """What stands for it where it is not given, for people; None: without it the job does nothing of the kind."""
    required: bool = False


@dataclass(frozen=True)
class NamedJob:
    """A job that `--job` takes by name."""

    summary: str
    """What it does, in a few words."""
    target: str
    """MODULE:ATTR of the job (see interface.py), which workers import."""
    options: tuple[JobOption, ...] = ()
    """All that it has: another one is refused before the run."""
    check: Callable[[Options], object] | None = None
    """Checks the values of its options before the run, without a framework: no option is unknown, and those that
    are required are there. Raises UserError."""
    requires: Requirements | None = None
    """What it imports that may be missing, which is refused before the run; None: it needs nothing that is not
    installed with it."""
    estimate: Callable[[Path, Options], float] | None = None
    """Returns the work in a file, in a unit of its own (see interface.py); None: the size of the file."""
    reads_nucleotides: bool = False
    """Whether it reads nucleotides and no proteins; False: unknown."""
