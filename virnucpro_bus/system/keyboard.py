"""What is typed on a terminal, as it is typed: without Enter, and without being seen. What the bytes mean is no
business of this file."""

from __future__ import annotations

import os
import select
import termios
import tty
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

_MOST_BYTES = 1024


class Keyboard:
    """The keyboard of a terminal, taken from the first `typed` on until it is given back. One thread.

    Ctrl-C stays a signal. While the terminal belongs to another job it is left alone: reading from it, or changing
    it, would stop us.
    """

    def __init__(self, terminal: int) -> None:
        """`terminal` is a descriptor."""
        self._terminal = terminal
        self._before: list[Any] | None = None

    def typed(self) -> bytes:
        """What was typed since last asked; never waits. Empty too once the terminal has gone."""
        typed = b""
        try:
            if is_foreground(self._terminal):
                self._take()
                while _is_readable(self._terminal) and (data := os.read(self._terminal, _MOST_BYTES)):
                    typed += data
        except (OSError, termios.error):
            pass  # it has gone: a signal says so too
        return typed

    def give_back(self) -> None:
        """Have the terminal as it was; `typed` takes it again. What was typed and not read is for nobody."""
        before, self._before = self._before, None
        if before is not None and is_foreground(self._terminal):
            with suppress(termios.error):  # it may have gone
                termios.tcsetattr(self._terminal, termios.TCSAFLUSH, before)

    def _take(self) -> None:
        now = termios.tcgetattr(self._terminal)
        # A shell that has had it meanwhile has made it wait for Enter again.
        if self._before is None or now[3] & termios.ICANON:
            self._before = self._before or now
            tty.setcbreak(self._terminal)

    def __enter__(self) -> Self:
        self.typed()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_back()


def read_forwarded(pipe: int) -> bytes:
    """What was passed on by who has the keyboard, through a pipe that does not block; empty at its end too."""
    try:
        return os.read(pipe, _MOST_BYTES)
    except BlockingIOError:
        return b""


def is_interactive(terminal: int) -> bool:
    """Whether `terminal` is one that belongs to our session: there may be somebody who types."""
    return foreground_group(terminal) is not None


def is_foreground(terminal: int, group: int | None = None) -> bool:
    """Whether a process group, None for our own, may use `terminal`: it is in front, or nobody counts there."""
    return foreground_group(terminal) in (None, os.getpgrp() if group is None else group)


def foreground_group(terminal: int) -> int | None:
    """The process group that `terminal` listens to; None where it is none, or is not that of our session."""
    try:
        return os.tcgetpgrp(terminal)
    except OSError:
        return None


def _is_readable(terminal: int) -> bool:
    return bool(select.select([terminal], [], [], 0)[0])
