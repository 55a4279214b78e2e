"""What signals make of a run: it ends after the files in progress, after a while, or at once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.system.signals import SignalFlag

if TYPE_CHECKING:
    from workers.desk.executor import Executor

DEFAULT_GRACE_SECONDS = 10.0
"""Time for the files in progress after a signal other than SIGINT."""
REPEAT_SECONDS = 1.0
"""A signal other than SIGINT that follows the first one sooner is the same request: `timeout` and batch systems
send theirs to the launcher, and then once more to all processes."""


class Interruption:
    """Ends a run's workers as its signals (ENDING_SIGNALS) demand. For one thread."""

    def __init__(
        self, signals: SignalFlag, grace_seconds: float, clock: Clock, notify: Callable[[str], object]
    ) -> None:
        """`grace_seconds` is the time for the files in progress after any signal but SIGINT."""
        self._signals = signals
        self._grace_seconds = grace_seconds
        self._clock = clock
        self._notify = notify
        self._seen = self._handled = 0
        """How many signals have been counted, and how many the workers have been told of."""
        self._first_ns = 0
        self._is_hurried = False
        self._kill_at_ns: int | None = None

    @property
    def signal(self) -> int:
        """The number of the signal that arrived; 0 if none did."""
        return self._signals.signal

    @property
    def is_hurried(self) -> bool:
        """Whether the run is to end at once: the user has pressed Ctrl-C again, or a signal was repeated later.

        A second SIGHUP does not count: when a terminal closes, both the kernel and the shell send one.
        """
        self._count()
        return self._is_hurried

    def limit(self, seconds: float, hurried_seconds: float) -> Callable[[], bool]:
        """Return a function that reports whether the time for something is over, which begins now.

        It is `seconds`, and at most `hurried_seconds` from when the run is to end at once.
        """
        started_ns = self._clock.mono_ns()
        hurried_ns: int | None = None

        def is_over() -> bool:
            nonlocal hurried_ns
            now_ns = self._clock.mono_ns()
            if hurried_ns is None and self.is_hurried:
                hurried_ns = now_ns
            return now_ns - started_ns >= seconds * NANOSECONDS or (
                hurried_ns is not None and now_ns - hurried_ns >= hurried_seconds * NANOSECONDS
            )

        return is_over

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when a signal arrives."""
        return self._signals.fileno()

    def poll(self, workers: Executor) -> None:
        """Act on the signals that have arrived, and kill the workers once their time is over."""
        self._count()
        if self._seen > self._handled:
            self._handled = self._seen
            self._interrupt(workers)
        if self._kill_at_ns is not None and self._clock.mono_ns() >= self._kill_at_ns:
            workers.kill()

    def _count(self) -> None:
        """Count the signals that have arrived since the last call, and decide whether they are a repetition."""
        arrived = self._signals.count
        if arrived == self._seen:
            return
        self._signals.drain()
        now_ns = self._clock.mono_ns()
        if self._seen == 0:
            self._first_ns = now_ns
        if arrived > 1:
            is_later = now_ns - self._first_ns >= REPEAT_SECONDS * NANOSECONDS
            by_user = self.signal == signal.SIGINT
            self._is_hurried |= by_user or (is_later and self.signal != signal.SIGHUP)
        self._seen = arrived

    def _interrupt(self, workers: Executor) -> None:
        workers.drain()
        if self._is_hurried:
            self._kill_at_ns = self._clock.mono_ns()
        elif self.signal == signal.SIGINT:
            self._notify("interrupted: finishing the files in progress; press Ctrl-C again to stop at once")
        elif self._kill_at_ns is None:
            name, seconds = signal.Signals(self.signal).name, self._grace_seconds
            self._kill_at_ns = self._clock.mono_ns() + int(seconds * NANOSECONDS)
            self._notify(f"{name}: finishing the files in progress, for {seconds:g} s at most")
