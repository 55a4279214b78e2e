"""Why an attempt failed: its reason in one line, and whether the disk was full."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import REASON_CHARACTERS
from virnucpro_bus.text import visible

_FULL_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT)
_FULL_DISK_BYTES = 1 << 20
"""With less free space than this, any failure is attributed to the full disk."""
_GPU_MEMORY = "CUDA out of memory"
# Types and texts of torch, CuPy, JAX and the driver, by name: no framework is imported here.
_GPU_MEMORY_TYPES = {"torch.cuda.OutOfMemoryError", "torch.OutOfMemoryError", "cupy.cuda.memory.OutOfMemoryError"}
_GPU_MEMORY_TEXTS = (
    _GPU_MEMORY,
    "CUDA error: out of memory",
    "CUDA_ERROR_OUT_OF_MEMORY",
    "cudaErrorMemoryAllocation",
)


def describe_failure(error: BaseException) -> str:
    """Return the reason for a failed attempt, in one line that an event can carry.

    The text of a UserError is the reason. Other errors begin with the name of their type, or with "CUDA out of
    memory" where that is the cause.
    """
    text = visible(" ".join(str(error).split()))
    if isinstance(error, UserError):
        return text[:REASON_CHARACTERS]
    name = _GPU_MEMORY if _is_gpu_out_of_memory(error) else type(error).__name__
    if text.startswith(name):
        return text[:REASON_CHARACTERS]
    return f"{name}: {text}"[:REASON_CHARACTERS] if text else name


def is_disk_full(error: BaseException, output: Path) -> bool:
    """Whether an attempt with this output folder failed because the disk is full.

    The free space is checked too: the error of a shell command shows only that it failed.
    """
    if isinstance(error, OSError) and error.errno in _FULL_DISK_ERRORS:
        return True
    try:
        status = os.statvfs(output.parent)
    except OSError:
        return False
    return status.f_bavail * status.f_frsize < _FULL_DISK_BYTES


def _is_gpu_out_of_memory(error: BaseException) -> bool:
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return not names.isdisjoint(_GPU_MEMORY_TYPES) or any(text in str(error) for text in _GPU_MEMORY_TEXTS)
