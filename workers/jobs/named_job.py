"""A job with a name: what `--job NAME` stands for, and all that is known of it without loading it.

An entry point of the group `virnucpro_bus.jobs` names a `NamedJob`, and its own name is what `--job` takes. Its
module is imported by `run` and `jobs` too, so frameworks are imported by the module of the job itself alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from virnucpro_bus.files.disk import draft_of
from workers.inputs.names import Reads
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


class DoneFile(NamedTuple):
    """A file that is done, and what the job made of it."""

    file: str
    """Its id, which can be printed."""
    paths: tuple[Path, ...]
    """The absolute paths of its results, in the order of their names; those in folders too."""


@dataclass(frozen=True)
class Merge:
    """A file that a job makes of the results of all files at the end of a run, in the results folder."""

    name: str
    """Its name there."""
    write: Callable[[Sequence[DoneFile], BinaryIO], object]
    """Writes it, in a process of its own: once at the end of each session, of all files that are done, sorted by
    id. What it raises costs the file, not the run."""

    def __post_init__(self) -> None:
        if "/" in self.name or self.name.startswith(".") or not self.name.isprintable() or not self.name:
            raise ValueError(f"{self.name!r} is not a name in the results folder")


def merged_names(merge: Merge | None) -> tuple[str, ...]:
    """Return the names in the results folder that are for a run's merged file, and for no input."""
    return () if merge is None else (draft_of(Path(merge.name)).name, merge.name)


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
    merge: Merge | None = None
    """What it makes of the results of all files at the end; None: nothing."""
    reads: Reads | Callable[[Options], Reads] = "both"
    """"nucleotides", "proteins" or "both", or a function that returns it for checked options: which sequence files
    of a folder are for this job. A file whose name does not show what it contains (reads.fa) is for every job."""
