"""One attempt at one file: the job, on an input that stays what it is, and the results brought to the disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from virnucpro_bus.errors import InputError, UserError
from virnucpro_bus.system.disk import Disk
from virnucpro_bus.text import visible
from workers.commit.manifest import Manifest, sync_and_digest
from workers.fault_injection import fault_point
from workers.inputs import state_of
from workers.protocol import Task, to_path

RunJob = Callable[[Path, Path], int]
_ROOM_BYTES = 1 << 20
"""With less than this left, whatever has failed is taken to have failed for want of room."""


class Outcome(NamedTuple):
    """What came of an attempt that succeeded."""

    sequences: int
    manifest: Manifest


def attempt(job: RunJob, task: Task, disk: Disk) -> Outcome:
    """Run the job on the file of `task`. Raises what the job raises, and InputError for an input that changes."""
    path, output = to_path(task.path), to_path(task.output)
    _check_unchanged(task, path)
    output.mkdir()
    sequences = job(path, output)
    fault_point("after_job", task.file, task.attempt)
    if not output.is_dir():
        raise UserError("the job has removed its output folder")
    contents = sync_and_digest(os.fspath(output), disk)
    fault_point("after_seal", task.file, task.attempt)
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


MAX_CHARACTERS = 1000
GPU_MEMORY = "CUDA out of memory"
# Known by name and text, for no framework is imported here: torch, CuPy and JAX, and what the driver itself says.
_GPU_MEMORY_TYPES = {"torch.cuda.OutOfMemoryError", "torch.OutOfMemoryError", "cupy.cuda.memory.OutOfMemoryError"}
_GPU_MEMORY_TEXTS = (
    GPU_MEMORY,
    "CUDA error: out of memory",
    "CUDA_ERROR_OUT_OF_MEMORY",
    "cudaErrorMemoryAllocation",
)


def reason_of(error: BaseException) -> str:
    """Our own errors are sentences; a GPU without memory left is named so; others are named by their type."""
    text = visible(" ".join(str(error).split()))
    if isinstance(error, UserError):
        return text[:MAX_CHARACTERS]
    name = GPU_MEMORY if lacks_gpu_memory(error) else type(error).__name__
    if text.startswith(name):
        return text[:MAX_CHARACTERS]
    return f"{name}: {text}"[:MAX_CHARACTERS] if text else name


def lacks_gpu_memory(error: BaseException) -> bool:
    """Whether a framework has raised this because the GPU's memory is used up."""
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return not names.isdisjoint(_GPU_MEMORY_TYPES) or any(text in str(error) for text in _GPU_MEMORY_TEXTS)
