"""Notices that the other end fills the memory.

A message of endless parts is kept until its end, and no socket option limits the parts: only the process as a
whole shows it.
"""

from __future__ import annotations

from collections.abc import Callable

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.system.memory import release_free_memory, resident_bytes

MAX_GROWTH_BYTES = 128 << 20
"""A fold that grows as much for its own reasons costs one reconnection."""
CHECK_NS = NANOSECONDS // 10


class MemoryGuard:
    """Watches how much this process grows. Not thread-safe."""

    def __init__(self, clock: Clock, measure: Callable[[], int] = resident_bytes) -> None:
        """`measure` returns the memory in use, in bytes."""
        self._clock = clock
        self._measure = measure
        self._limit_bytes: int | None = measure() + MAX_GROWTH_BYTES
        """None: to be set at the next check, once what was closed is free."""
        self._checked_ns = clock.mono_ns()

    def is_exceeded(self) -> bool:
        """Return whether the memory has grown by MAX_GROWTH_BYTES; true once, then counted from what remains.

        Measures at most ten times a second.
        """
        now_ns = self._clock.mono_ns()
        if now_ns - self._checked_ns < CHECK_NS:
            return False
        self._checked_ns = now_ns
        if self._limit_bytes is None:
            release_free_memory()
            self._limit_bytes = self._measure() + MAX_GROWTH_BYTES
        elif self._measure() > self._limit_bytes:
            self._limit_bytes = None
            return True
        return False
