"""The memory of this process: how much is resident, giving back what is free, and when garbage is searched for."""

from __future__ import annotations

import gc
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Return how much memory of this process is resident."""
    return int(_STATM.read_text().split()[1]) * resource.getpagesize()


def release_free_memory() -> None:
    """Return free memory to the system, where the C library can; otherwise it is kept for reuse."""
    import ctypes  # takes long to load, and few processes give memory back

    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:
        pass  # not the GNU library


@contextmanager
def without_garbage_search() -> Iterator[None]:
    """Do not search for garbage in the block, which leaves none.

    Thousands of short-lived tuples may start a search through all objects of the process: 0.3 s for a million.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def all_stays_in_use() -> Iterator[None]:
    """Do not search for garbage what is made in the block.

    To read the fold of a long run takes a fifth longer with such searches, and to import a program a twentieth.
    """
    with without_garbage_search():
        try:
            yield
        finally:
            gc.freeze()
