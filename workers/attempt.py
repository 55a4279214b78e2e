"""One attempt at one file: the job, on an input that stays what it is, and the results brought to the disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from virnucpro_bus.disk import Disk
from virnucpro_bus.errors import InputError, UserError
from workers.channel import Task, to_path
from workers.contents import Contents, seal
from workers.faultpoints import reach
from workers.inputs import state_of

RunJob = Callable[[Path, Path], int]
_ROOM_BYTES = 1 << 20
"""With less than this left, whatever has failed is taken to have failed for want of room."""


class Outcome(NamedTuple):
    """What came of an attempt that succeeded."""

    sequences: int
    contents: Contents


def attempt(job: RunJob, task: Task, disk: Disk) -> Outcome:
    """Run the job on the file of `task`. Raises what the job raises, and InputError for an input that changes."""
    path, output = to_path(task.path), to_path(task.output)
    _check_unchanged(task, path)
    output.mkdir()
    sequences = job(path, output)
    reach("after_job", task.file, task.attempt)
    if not output.is_dir():
        raise UserError("the job has removed its output folder")
    contents = seal(os.fspath(output), disk)
    reach("after_seal", task.file, task.attempt)
    _check_unchanged(task, path)
    return Outcome(sequences, contents)


def lacks_room(error: BaseException, output: Path) -> bool:
    """Whether an attempt has failed because the disk is full (of a command, `error` tells only that it failed)."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    try:
        status = os.statvfs(output.parent)
    except OSError:
        return False
    return status.f_bavail * status.f_frsize < _ROOM_BYTES


def _check_unchanged(task: Task, path: Path) -> None:
    if task.state is None:
        return
    try:
        state = state_of(path)
    except FileNotFoundError:
        raise InputError("the input has vanished since the run was started") from None
    if state != task.state:
        raise InputError("input changed: it is not what it was when the run was started")
