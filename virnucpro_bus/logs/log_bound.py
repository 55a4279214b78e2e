"""Bounds logs while they are written: a thread looks at them often, and more often while one grows fast."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection

from virnucpro_bus.logs.shorten import MAX_LOG_BYTES, shorten_log

MAX_GROWING_BYTES = 2 * MAX_LOG_BYTES
"""A log that is still written is shortened when it is longer."""
LOOK_SECONDS = 0.25
HURRIED_SECONDS = 0.02
"""Until the next look, after one that has found a log too long: a program prints 1 GB in a second."""
MOST_ENDED = 16
"""So many logs of ended attempts are looked at as well: a process that an attempt has left may still print."""
_CLOSE_SECONDS = 5.0


class LogBound:
    """Bounds the logs that this process and its children write, in a thread of its own.

    The thread, not the launcher: only on the machine that writes a file is its end known, and a worker may be on
    another one than the launcher.
    """

    def __init__(self, growing: Callable[[], Collection[str]]) -> None:
        """`growing` returns the paths of the logs that are written now. It is called in the thread."""
        self._growing = growing
        self._ended: deque[str] = deque(maxlen=MOST_ENDED)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-bound", daemon=True)
        self._thread.start()

    def note_ended(self, path: str) -> None:
        """Have the log of an attempt that has ended bounded from now on."""
        self._ended.append(path)

    def close(self) -> None:
        """Bound all logs a last time, and end the thread. Safe to call twice."""
        self._closing.set()
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        pause_seconds = LOOK_SECONDS
        while not self._closing.wait(pause_seconds):
            pause_seconds = HURRIED_SECONDS if self._look(MAX_GROWING_BYTES) else LOOK_SECONDS
        self._look(MAX_LOG_BYTES)

    def _look(self, most_bytes: int) -> bool:
        """Shorten what is too long; return whether anything was."""
        looks = [_shorten(path, most_bytes) for path in self._growing()]
        looks += [_shorten(path, MAX_LOG_BYTES) for path in tuple(self._ended)]
        return any(looks)


def _shorten(path: str, most_bytes: int) -> bool:
    try:
        return shorten_log(path, most_bytes)
    except OSError:
        return False  # it was removed or renamed, or stays as it is
