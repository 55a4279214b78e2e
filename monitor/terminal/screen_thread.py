"""The thread that draws on a screen, so that nothing else waits for a terminal that does not read.

After Ctrl-S, or when a connection hangs, a write to the terminal waits. Of the pictures that come meanwhile the
newest is drawn afterwards.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread

from rich.text import Text

from monitor.terminal.screen import Screen

LEAVE_SECONDS = 2.0
"""How long the terminal may take to accept the codes that restore it."""

_Answer = SimpleQueue[Exception | None]


class ScreenThread:
    """Draws pictures on `screen`, from now until `end`. Any thread, and any handler of a signal.

    Does nothing in a child that was forked with it, which must leave the terminal alone.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._owner = os.getpid()
        self._pictures: deque[tuple[Sequence[Text], int, int]] = deque(maxlen=1)
        # Both can be used by a handler of a signal, whatever it has interrupted.
        self._wakes: SimpleQueue[_Answer | None] = SimpleQueue()
        """What wakes the thread: where to answer once the screen is left, or None."""
        self._error: Exception | None = None
        """Why a picture could not be drawn, until that is raised."""
        self._is_paused = False
        self._is_ended = False
        Thread(target=self._run, name="screen", daemon=True).start()

    def draw(self, picture: Sequence[Text], width: int, height: int) -> None:
        """Have `picture` drawn soon, as `Screen.draw` does, unless a newer one comes first. Never waits.

        Does nothing while paused. Raises, once, why an earlier picture could not be drawn.
        """
        if self._is_paused or os.getpid() != self._owner:
            return
        error, self._error = self._error, None
        if error is not None:
            raise error
        self._pictures.append((picture, width, height))
        if self._wakes.empty():  # or they would add up while the terminal does not read
            self._wakes.put(None)

    def pause(self) -> None:
        """Restore the terminal, and draw nothing until `resume`.

        Raises OSError when the terminal is gone, and TimeoutError when it does not read.
        """
        self._is_paused = True
        if os.getpid() != self._owner:
            return
        answer: _Answer = SimpleQueue()
        self._wakes.put(answer)
        try:
            error = answer.get(timeout=LEAVE_SECONDS)
        except Empty:
            raise TimeoutError(errno.ETIMEDOUT, "the terminal does not read") from None
        if error is not None:
            raise error

    def resume(self) -> None:
        """Draw again from the next picture on."""
        self._is_paused = False

    def end(self) -> None:
        """End the thread once it has done what was asked. To be called while paused."""
        self._is_ended = True
        self._wakes.put(None)

    def _run(self) -> None:
        while not (self._is_ended and self._wakes.empty()):
            answer = self._wakes.get()
            if answer is not None:
                answer.put(_error_of(self._screen.leave))
            if self._pictures and not self._is_paused:
                self._error = _error_of(partial(self._screen.draw, *self._pictures.popleft()))


def _error_of(write: Callable[[], object]) -> Exception | None:
    """Call `write`, and return what it raises; None when it succeeds."""
    try:
        write()
    except Exception as error:  # it is raised again in the thread that can handle it
        return error
    return None
