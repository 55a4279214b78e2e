"""The keyboard of a terminal: bytes as they are typed, without Enter and without echo.

What the bytes mean is decided elsewhere (monitor/terminal/keys.py).
"""

from __future__ import annotations

import os
import select
import termios
import tty
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

_MAX_BYTES = 1024


class Keyboard:
    """Reads what is typed on a terminal, which it takes over from `with` or the first `typed` until `give_back`.

    Ctrl-C remains a signal. While the terminal belongs to another job, it is not touched: reading from it or
    changing it would stop this process. Not thread-safe.
    """

    def __init__(self, terminal: int) -> None:
        """`terminal` is the descriptor of a terminal; nothing is changed yet."""
        self._terminal = terminal
        self._before: list[Any] | None = None

    def typed(self) -> bytes:
        """Return what was typed since the last call. Never waits; empty too when the terminal is gone."""
        typed = b""
        try:
            if self._take_over():
                while _is_readable(self._terminal) and (data := os.read(self._terminal, _MAX_BYTES)):
                    typed += data
        except (OSError, termios.error):
            pass  # the terminal is gone, which a signal reports too
        return typed

    def give_back(self) -> None:
        """Restore the terminal and discard what was typed and not read; `typed` takes it over again."""
        before, self._before = self._before, None
        if before is not None and is_foreground(self._terminal):
            with suppress(termios.error):  # it may be gone
                termios.tcsetattr(self._terminal, termios.TCSAFLUSH, before)

    def _take_over(self) -> bool:
        """Take the terminal over unless it is already. Returns False while it belongs to another job."""
        if not is_foreground(self._terminal):
            return False
        now = termios.tcgetattr(self._terminal)
        # A shell that used the terminal meanwhile has made it wait for Enter again.
        if self._before is None or now[3] & termios.ICANON:
            self._before = self._before or now
            tty.setcbreak(self._terminal)
            # Or Ctrl-C would discard output that is on its way, such as the end of the alternate screen.
            modes = termios.tcgetattr(self._terminal)
            modes[3] |= termios.NOFLSH
            termios.tcsetattr(self._terminal, termios.TCSANOW, modes)
        return True

    def __enter__(self) -> Self:
        # Nothing is read here: what is typed from now on is for the first `typed`.
        with suppress(OSError, termios.error):
            self._take_over()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_back()


def read_forwarded(pipe: int) -> bytes:
    """Return what was forwarded from a keyboard through a non-blocking pipe; empty also at the end of the pipe."""
    try:
        return os.read(pipe, _MAX_BYTES)
    except BlockingIOError:
        return b""


def is_interactive(terminal: int) -> bool:
    """Whether `terminal` is the terminal of this session, so that a user may type there."""
    return foreground_group(terminal) is not None


def is_foreground(terminal: int, group: int | None = None) -> bool:
    """Whether a process group may use `terminal`: it is in the foreground, or the terminal has no job control.

    `group` None: that of this process.
    """
    return foreground_group(terminal) in (None, os.getpgrp() if group is None else group)


def foreground_group(terminal: int) -> int | None:
    """Return the foreground process group of `terminal`; None if it is not the terminal of this session."""
    try:
        return os.tcgetpgrp(terminal)
    except OSError:
        return None


def _is_readable(terminal: int) -> bool:
    return bool(select.select([terminal], [], [], 0)[0])
