"""The alternate screen of a terminal: rich's Live draws it, a picture is one write, and it is always left again.

Live, without a thread of its own, draws into memory; this module writes that to the terminal, with three changes.
Every line is positioned on its own, so nothing scrolls if the terminal has become smaller meanwhile. Blanks at the
end of a line are erased instead of written. A terminal that can do so shows all of it at once. Nothing is cleared
between two pictures.
"""

from __future__ import annotations

import io
import os
import re
import select
import shutil
import threading
from collections.abc import Sequence
from typing import Any, cast

from rich.console import Console, Group
from rich.control import Control
from rich.live import Live
from rich.text import Text

from monitor.view.glyphs import ASCII, UNICODE, Glyphs
from virnucpro_bus.system.keyboard import is_foreground

# A terminal that knows these shows everything between them at once.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
_ERASE_LINE_REST = "\x1b[K"
_LINE_END_BLANKS = re.compile(" +$", re.MULTILINE)
# Live's own codes would be lost where the handler of a signal interrupts Live, and ends the program.
_LEAVE = f"\x1b[0m{Control.show_cursor(True)}{Control.alt_screen(False)}"
_C_LOCALES = ("C", "POSIX")


class Screen:
    """The alternate screen of the terminal that `console` writes to. Any thread."""

    def __init__(self, console: Console, group: int | None = None) -> None:
        """`group` is the process group that owns the terminal; None: this process's own."""
        self._descriptor = console.file.fileno()
        self._encoding = console.encoding
        self._owner = os.getpid()
        self._group = group
        # Reentrant: a signal may arrive while the same thread draws.
        self._lock = threading.RLock()
        self._console = Console(
            file=io.StringIO(),
            force_terminal=True,
            force_interactive=True,
            color_system=cast("Any", console.color_system),
            no_color=console.no_color,
        )
        self._live = Live(
            console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._shown = False
        self._paused = False

    def draw(self, picture: Sequence[Text], width: int, height: int) -> None:
        """Replace the picture on the screen by `picture`, which fits `width` cells and `height` lines.

        Does nothing while paused, or while another job has the terminal: it is given back then. Raises OSError
        when the terminal is gone.
        """
        with self._lock:
            if self._paused or os.getpid() != self._owner:
                return
            if not is_foreground(self._descriptor, self._group):
                self._leave()
                return
            if not self._shown:
                self._live.stop()  # a first picture that could not be written has started it
            self._console.file = drawn = io.StringIO()
            self._console.size = (width, height)
            self._live.start()
            self._live.update(Group(*picture), refresh=True)
            self._write(_BEGIN + _positioned(drawn.getvalue()) + _END)
            self._shown = True

    def pause(self) -> None:
        """Restore the terminal, and draw nothing until `resume`. Raises OSError when the terminal is gone."""
        with self._lock:
            self._paused = True
            self._leave()

    def resume(self) -> None:
        """Draw again from the next picture on."""
        self._paused = False

    def _leave(self) -> None:
        # A child that was forked with this object must leave the terminal alone.
        if self._shown and os.getpid() == self._owner:
            try:
                self._live.stop()
            finally:
                self._write(_LEAVE)
                self._shown = False

    def _write(self, text: str) -> None:
        """Write all of `text`, in one write if the terminal accepts that."""
        data = text.encode(self._encoding, "backslashreplace")
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # another process that shares the terminal has made it non-blocking
                select.select([], [self._descriptor], [], 1.0)


def _positioned(drawn: str) -> str:
    """Return what Live drew with a position for each line after the first, which Live positions itself."""
    first, *others = _LINE_END_BLANKS.sub(_ERASE_LINE_REST, drawn).split("\n")
    return first + "".join(f"\x1b[{row};1H{line}" for row, line in enumerate(others, start=2))


def is_screen(console: Console) -> bool:
    """Whether pictures can be drawn: on a real terminal, whatever FORCE_COLOR says, whose TERM is not dumb."""
    isatty = getattr(console.file, "isatty", None)
    able = os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")
    return bool(isatty and isatty()) and console.is_interactive and able


def with_size(console: Console) -> Console:
    """Return `console`, with the terminal's size if its own is 0 (COLUMNS=0)."""
    if 0 in console.size:
        console.size = shutil.get_terminal_size()
    return console


def glyphs_for(console: Console) -> Glyphs:
    """Return the glyphs for `console`: ASCII if its encoding is not a Unicode one, or the language is C."""
    if not console.encoding.startswith("utf"):
        return ASCII
    setting = os.environ.get("LC_ALL")
    if not setting:
        # If the language is C, Python itself sets LC_CTYPE to C.UTF-8: that does not describe the terminal.
        own = os.environ.get("LC_CTYPE", "")
        setting = own if own and own != "C.UTF-8" else os.environ.get("LANG", "")
    return ASCII if setting in _C_LOCALES else UNICODE
