"""Computing for whoever asks, without taking the processor from the run or the dashboard."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from virnucpro_bus.clock import NANOSECONDS, Clock, thread_cpu_ns

Result = TypeVar("Result")

TURN_SECONDS = 5.0
"""How long a caller waits for its turn."""
MOST_OF_A_CORE = 0.05
"""The share of a processor's core that all callers together may take."""


class BusyError(Exception):
    """There were too many callers."""


class Pace:
    """Lets one caller at a time compute, with pauses that keep all to a small share of a core. Thread-safe."""

    def __init__(self, clock: Clock, wait: Callable[[float], object]) -> None:
        """`wait` waits that many seconds, or less when the program ends."""
        self._clock = clock
        self._wait = wait
        self._turn = threading.Lock()
        self._next_ns = 0
        """When the next computation may start, by the monotonic clock."""

    def run(self, compute: Callable[[], Result]) -> Result:
        """Return `compute()`. Raises BusyError when the turn does not come in TURN_SECONDS, and what it raises."""
        if not self._turn.acquire(timeout=TURN_SECONDS):
            raise BusyError
        try:
            if (early_ns := self._next_ns - self._clock.mono_ns()) > 0:
                self._wait(early_ns / NANOSECONDS)
            before_ns = thread_cpu_ns()
            try:
                return compute()
            finally:
                used_ns = thread_cpu_ns() - before_ns
                self._next_ns = self._clock.mono_ns() + round(used_ns * (1 / MOST_OF_A_CORE - 1))
        finally:
            self._turn.release()
