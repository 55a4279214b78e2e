"""Signals as something that a poll loop can wait for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

_SENT_BY_MACHINES = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU, signal.SIGALRM)
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, *_SENT_BY_MACHINES)
"""The signals that ask a program to end in order.

They come from a user, a terminal that closes, a service manager, or a batch system, which can be told to send
nearly any of them before the time limit.
"""


def end_quietly(number: int, frame: object) -> None:
    """Handle a signal while modules are imported: exit with status 128 + N.

    A KeyboardInterrupt in the middle of an import cannot always be caught.
    """
    os._exit(128 + number)


@contextmanager
def ending_quietly() -> Iterator[None]:
    """Have a SIGINT that would raise KeyboardInterrupt end this process at once, while modules are imported.

    Main thread only.
    """
    raises = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if raises:
        signal.signal(signal.SIGINT, end_quietly)
    try:
        yield
    finally:
        if raises:
            signal.signal(signal.SIGINT, signal.default_int_handler)


class SignalFlag:
    """Records the given signals while entered, instead of their usual effect. Main thread only.

    `fileno()` becomes readable when one arrives, so a poll loop wakes at once. A signal other than SIGINT and
    SIGTERM that is ignored (nohup, `trap '' USR1`) stays ignored. The previous handlers are restored at the end.
    """

    def __init__(self, *signals: signal.Signals) -> None:
        self.signal = 0
        """Number of the last signal that arrived; 0: no signal yet."""
        self.count = 0
        """How many signals have arrived."""
        self._signals = signals
        self._previous: dict[signal.Signals, Any] = {}
        self._read_fd = self._write_fd = -1

    def fileno(self) -> int:
        """Return a descriptor to poll for reading; `drain` empties it."""
        return self._read_fd

    def drain(self) -> None:
        """Empty the descriptor, so that the next signal wakes the loop again."""
        try:
            os.read(self._read_fd, 512)
        except BlockingIOError:
            pass

    def __enter__(self) -> Self:
        self._read_fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in self._signals:
            if number in _SENT_BY_MACHINES and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._previous[number] = signal.signal(number, self._record)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        os.close(self._read_fd)
        os.close(self._write_fd)

    def _record(self, number: int, frame: object) -> None:
        self.signal = number
        self.count += 1
        try:
            os.write(self._write_fd, b"\0")
        except BlockingIOError:
            pass  # the pipe is full, so the loop wakes anyway
