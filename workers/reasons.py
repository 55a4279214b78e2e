"""Why an attempt has failed, in one line for a person."""

from __future__ import annotations

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import visible

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
