"""One attempt at one file: run the job on an input that must not change, then sync its results to disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from virnucpro_bus.errors import EveryFileError, InputError, UserError
from virnucpro_bus.files.disk import DISK_FAILURES, Disk
from workers.commit.manifest import Manifest, UnsyncedResults, begin_sync
from workers.fault_injection import fault_point
from workers.inputs.input_file import content_digest, state_of
from workers.protocol import Task, to_path

RunJob = Callable[[Path, Path], int]
"""A loaded job: takes the input file and the output folder, returns the number of sequences done."""


class Performed(NamedTuple):
    """What the job has reported of a file."""

    sequences: int
    input_digest: str
    """The SHA-256 of the input."""


class Outcome(NamedTuple):
    """What a successful attempt produced."""

    sequences: int
    manifest: Manifest
    input_digest: str
    """The SHA-256 of the input."""


def begin(task: Task) -> bool:
    """Begin an attempt, by making its output folder. Returns False if the launcher has taken the file back.

    Raises OSError for another problem of the folder.
    """
    try:
        os.mkdir(os.fsdecode(task.output))
    except FileExistsError:
        return False
    return True


def perform(job: RunJob, task: Task) -> Performed:
    """Run the job on the file of `task`, whose output folder is empty.

    Raises what the job raises, and InputError when the input has changed or vanished.
    """
    path, output = to_path(task.path), to_path(task.output)
    _check_unchanged(task, path)
    # Before the job, which then reads from memory what fits there.
    input_digest = content_digest(path)
    sequences = job(path, output)
    fault_point("after_job", task.file, task.attempt)
    return Performed(sequences, input_digest)


# In any thread, also while the job is at work on another file.


def begin_seal(task: Task, disk: Disk) -> UnsyncedResults:
    """Digest the results of a job, and begin to write them to disk. Of several files this is done for all first.

    Raises EveryFileError when the job has removed its output folder or the disk fails.
    """
    output = os.fsdecode(task.output)
    try:
        mode = os.lstat(output).st_mode
    except FileNotFoundError:
        mode = 0
    if stat.S_ISLNK(mode):
        raise UserError("the job has put a link in place of its output folder")
    if not stat.S_ISDIR(mode):
        raise EveryFileError("the job has removed its output folder; it must leave its results there")
    with _failures_of_disk():
        return begin_sync(output, disk)


def seal(task: Task, performed: Performed, results: UnsyncedResults, disk: Disk) -> Outcome:
    """Wait until the results are on disk.

    Raises InputError when the input has changed or vanished meanwhile, and EveryFileError when the disk fails.
    """
    with _failures_of_disk():
        manifest = results.sync(disk)
    fault_point("after_seal", task.file, task.attempt)
    _check_unchanged(task, to_path(task.path))
    return Outcome(performed.sequences, manifest, performed.input_digest)


@contextmanager
def _failures_of_disk() -> Iterator[None]:
    """Raise EveryFileError for an error of the disk, which is not about these results."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FAILURES:
            raise EveryFileError(f"the results cannot be synced to the disk: {error.strerror}") from error
        raise


def _check_unchanged(task: Task, path: Path) -> None:
    if task.state is None:
        return
    try:
        state = state_of(path)
    except FileNotFoundError:
        raise InputError("the input has vanished since the run was started") from None
    if state != task.state:
        raise InputError("input changed: it is not the file that it was when the run was started")
