"""The figures of the page, made once an interval for all viewers, by a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from monitor.web.pace import Pace


class Feed:
    """Keeps the latest figures, and wakes those who wait for newer ones. Safe to read from any thread."""

    def __init__(self, make: Callable[[], bytes], interval_seconds: float, pace: Pace) -> None:
        """`make` returns the figures; what it raises is `failure` until it succeeds again."""
        self._make = make
        self._interval_seconds = interval_seconds
        self._pace = pace
        self._changed = threading.Condition()
        self._number = 0
        self._figures = b""
        self.failure: Exception | None = None
        """Why there are no figures now; None while there are."""
        self.is_closed = False
        """Whether the latest figures are the last ones."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)

    def start(self) -> None:
        """Make the first figures at once, and newer ones at every interval."""
        self._thread.start()

    def after(self, number: int, seconds: float) -> tuple[int, bytes]:
        """Wait for figures that are newer than those of `number`, at most `seconds`; return theirs, or the latest.

        There are none before number 1.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._number > number or self.failure or self.is_closed, seconds)
            return self._number, self._figures

    def close(self, seconds: float) -> None:
        """Make the last figures, and wake everybody; waits at most `seconds` for them."""
        self._closing.set()
        self._thread.join(seconds)
        with self._changed:
            self.is_closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._update()
            self._closing.wait(self._interval_seconds)
        self._update()

    def _update(self) -> None:
        try:
            figures, failure = self._pace.run(self._make), None
        except Exception as error:  # the thread must survive what is wrong with one moment's figures
            figures, failure = b"", error
        with self._changed:
            self.failure = failure
            if failure is None:
                self._number += 1
                self._figures = figures
            self._changed.notify_all()
