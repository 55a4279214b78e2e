"""What the user's signals make of a run: it ends after the files in progress, after a while, or at once."""

from __future__ import annotations

import signal
from collections.abc import Callable

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.system.signals import SignalFlag
from workers.pool.pool import WorkerPool

SIGNALS_TO_END_AT_ONCE = 2


class Interruption:
    """Ends a run's workers as its signals (SIGINT, SIGTERM, SIGHUP) demand. For one thread."""

    def __init__(
        self, signals: SignalFlag, grace_seconds: float, clock: Clock, notify: Callable[[str], object]
    ) -> None:
        """`grace_seconds` is the time for the files in progress after SIGTERM and SIGHUP."""
        self._signals = signals
        self._grace_seconds = grace_seconds
        self._clock = clock
        self._notify = notify
        self._handled = 0
        self._kill_at_ns: int | None = None

    @property
    def signal(self) -> int:
        """The number of the signal that arrived; 0 if none did."""
        return self._signals.signal

    @property
    def is_hurried(self) -> bool:
        """Whether the run is to end at once: the user has sent a second signal.

        A second SIGHUP does not count: when a terminal closes, both the kernel and the shell send one.
        """
        return self._signals.count >= SIGNALS_TO_END_AT_ONCE and self._signals.signal != signal.SIGHUP

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when a signal arrives."""
        return self._signals.fileno()

    def poll(self, pool: WorkerPool) -> None:
        """Act on the signals that have arrived, and kill the workers once their time is over."""
        if self._signals.count > self._handled:
            self._signals.drain()
            self._handled = self._signals.count
            self._interrupt(pool)
        if self._kill_at_ns is not None and self._clock.mono_ns() >= self._kill_at_ns:
            pool.kill()

    def _interrupt(self, pool: WorkerPool) -> None:
        pool.drain()
        if self.is_hurried:
            self._kill_at_ns = self._clock.mono_ns()
        elif self.signal != signal.SIGINT:
            name, seconds = signal.Signals(self.signal).name, self._grace_seconds
            self._kill_at_ns = self._clock.mono_ns() + int(seconds * NANOSECONDS)
            self._notify(f"{name}: finishing the files in progress, for {seconds:g} s at most")
        else:
            self._notify("interrupted: finishing the files in progress; press Ctrl-C again to stop at once")
