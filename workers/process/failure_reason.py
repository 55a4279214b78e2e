"""Why an attempt failed: its reason in one line, its traceback in the log.

What a job raises is a user's object: its methods may raise too, and it need not be an `Exception`.
"""

from __future__ import annotations

import traceback

from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import REASON_CHARACTERS
from virnucpro_bus.text import text_of, visible

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

    The text of a UserError is the reason, if it has one. Other errors begin with the name of their type, or with
    "CUDA out of memory" where that is the cause. Of a group of errors, the first one follows.
    """
    text = visible(" ".join(text_of(error).split()))
    if isinstance(error, UserError) and text:
        return text[:REASON_CHARACTERS]
    if isinstance(error, BaseExceptionGroup):
        text = f"{text}: {describe_failure(error.exceptions[0])}"
    name = _GPU_MEMORY if _is_gpu_out_of_memory(error, text) else visible(type(error).__name__)
    if text.startswith(name):
        return text[:REASON_CHARACTERS]
    return f"{name}: {text}"[:REASON_CHARACTERS] if text else name


def log_traceback(error: BaseException) -> None:
    """Write the error's traceback to the log. A log that cannot be written must not end the worker."""
    try:
        traceback.print_exception(error)
    except Exception:
        return  # the disk is full, or the job has closed or replaced stderr


def _is_gpu_out_of_memory(error: BaseException, text: str) -> bool:
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return not names.isdisjoint(_GPU_MEMORY_TYPES) or any(known in text for known in _GPU_MEMORY_TEXTS)
