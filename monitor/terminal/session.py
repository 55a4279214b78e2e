"""A terminal that is taken for a dashboard, and given back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.text import Text

from monitor.terminal.held_output import HeldOutput
from monitor.terminal.screen import Screen
from monitor.terminal.signals import TerminalSignals


class TerminalSession:
    """The terminal that `console` writes to, with a picture on it from the first `draw` on.

    Made and given back by one thread, drawn on by any other. What the program prints meanwhile comes afterwards.
    """

    def __init__(self, console: Console, redraw: Callable[[], object], group: int | None = None) -> None:
        """`redraw` as for Interrupts, `group` as for Screen.

        Raises OSError or ValueError when `console` has no descriptor.
        """
        self._screen = Screen(console, group)
        self._held = HeldOutput(console.file.fileno())
        self._interrupts = TerminalSignals(self._screen, self._held, redraw)
        self._held.start()
        self._interrupts.install()

    def draw(self, picture: Sequence[Text], width: int, height: int) -> None:
        """As `Screen.draw`; nothing once it is given back."""
        self._screen.draw(picture, width, height)

    def give_back(self) -> None:
        """Raises OSError when it has gone."""
        try:
            self._screen.pause()
        finally:
            self._interrupts.remove()
            self._held.release()
