"""The memory of this process: how much is resident, and giving back what is free."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Return how much memory of this process is resident."""
    return int(_STATM.read_text().split()[1]) * resource.getpagesize()


def release_free_memory() -> None:
    """Return free memory to the system, where the C library can; otherwise it is kept for reuse."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:
        pass  # not the GNU library
