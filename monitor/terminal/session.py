"""A terminal that is taken over for a dashboard, and given back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.text import Text

from monitor.terminal.held_output import HeldOutput
from monitor.terminal.screen import Screen
from monitor.terminal.screen_thread import ScreenThread
from monitor.terminal.signals import TerminalSignals


class TerminalSession:
    """The terminal that `console` writes to, with a picture on it from the first `draw` on.

    What the program prints meanwhile is held, and printed when the terminal is given back. One thread makes the
    session and gives it back; any thread may draw.
    """

    def __init__(self, console: Console, redraw: Callable[[], object], group: int | None = None) -> None:
        """`redraw` is as for TerminalSignals, `group` as for Screen.

        Raises OSError or ValueError when `console` has no descriptor.
        """
        self._screen = ScreenThread(Screen(console, group))
        self._held = HeldOutput(console.file.fileno())
        self._signals = TerminalSignals(self._screen, self._held, redraw)
        self._held.start()
        self._signals.install()

    def draw(self, picture: Sequence[Text], width: int, height: int) -> None:
        """Draw as `ScreenThread.draw` does; does nothing once the terminal is given back."""
        self._screen.draw(picture, width, height)

    def give_back(self) -> None:
        """Restore the terminal, and print what was held. Raises OSError as `ScreenThread.pause` does."""
        try:
            self._screen.pause()
        finally:
            self._signals.remove()
            self._screen.end()
            self._held.release()
