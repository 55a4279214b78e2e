"""Signals that concern a terminal with a picture on it: a new size, Ctrl-Z and its return, and a sudden end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from monitor.terminal.held_output import HeldOutput
from monitor.terminal.screen_thread import ScreenThread

# Without a handler these end the program at once; a program that handles them can stop the dashboard itself.
_ENDING = (
    *(signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU),  # sent by batch systems
)
_REDRAWING = (signal.SIGWINCH, signal.SIGCONT)


class TerminalSignals:
    """The handlers that keep the terminal usable, from `install` to `remove`.

    A handler that the program has set is kept; for a signal that only redraws it is called after ours. Both
    methods belong to the main thread, and do nothing in another.
    """

    def __init__(self, screen: ScreenThread, held: HeldOutput, redraw: Callable[[], object]) -> None:
        """`redraw` is called when the picture may be damaged.

        It may be called between any two instructions of the main thread, so it must not take a lock.
        """
        self._screen = screen
        self._held = held
        self._redraw = redraw
        self._owner = os.getpid()
        self._before: dict[signal.Signals, Any] = {}

    def install(self) -> None:
        """Set the handlers."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _REDRAWING:
            self._before[number] = signal.signal(number, self._redraw_and_pass_on)
        for number in (*_ENDING, signal.SIGTSTP):
            if signal.getsignal(number) is signal.SIG_DFL:
                action = self._suspend if number == signal.SIGTSTP else self._end
                self._before[number] = signal.signal(number, action)

    def remove(self) -> None:
        """Restore the handlers that were set before, unless the program has changed them since."""
        if threading.current_thread() is not threading.main_thread():
            return
        ours = (self._redraw_and_pass_on, self._suspend, self._end)
        for number, handler in self._before.items():
            if signal.getsignal(number) in ours:
                signal.signal(number, handler)
        self._before.clear()

    def _redraw_and_pass_on(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._owner:
            self._redraw()
        before = self._before.get(signal.Signals(number))
        if callable(before):
            before(number, frame)

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Stop the process as without a handler, but give the terminal back first."""
        ours = os.getpid() == self._owner
        if ours:
            with suppress(OSError):  # the terminal may be gone, or not read
                self._screen.pause()
        self._act_by_default(number)
        # The process stops above, and continues here.
        signal.signal(number, self._suspend)
        if ours:
            self._screen.resume()
            self._redraw()

    def _end(self, number: int, frame: FrameType | None) -> None:
        """End the process as without a handler, but give the terminal back first."""
        if os.getpid() == self._owner:
            with suppress(OSError, ValueError):
                self._screen.pause()
                self._held.release()
        self._act_by_default(number)

    def _act_by_default(self, number: int) -> None:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
