"""The alternate screen of a terminal, drawn by rich's Live: each picture is one write.

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
from collections.abc import Sequence
from typing import Any, cast

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from monitor.view.glyphs import ASCII, UNICODE, Glyphs
from virnucpro_bus.system.keyboard import is_foreground

# A terminal that knows these shows everything between them at once.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
_RESET_STYLE, _ERASE_LINE_REST = "\x1b[0m", "\x1b[K"
_LINE_END_BLANKS = re.compile(" +$", re.MULTILINE)
_C_LOCALES = ("C", "POSIX")


class Screen:
    """The alternate screen of the terminal that `console` writes to.

    For one thread, and not the main one, whose handlers of signals could interrupt Live half-way.
    """

    def __init__(self, console: Console, group: int | None = None) -> None:
        """`group` is the process group that owns the terminal; None: this process's own."""
        self._descriptor = console.file.fileno()
        self._encoding = console.encoding
        self._group = group
        self._drawn = io.StringIO()
        self._console = Console(
            file=self._drawn,
            force_terminal=True,
            force_interactive=True,
            color_system=cast("Any", console.color_system),
            no_color=console.no_color,
        )
        self._live = Live(
            console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )

    def draw(self, picture: Sequence[Text], width: int, height: int) -> None:
        """Replace the picture on the screen by `picture`, which fits `width` cells and `height` lines.

        While another job has the terminal, gives it back instead. Raises OSError when the terminal is gone.
        """
        if not is_foreground(self._descriptor, self._group):
            self.leave()
            return
        self._console.size = (width, height)
        self._live.start()
        self._live.update(Group(*picture), refresh=True)
        self._write_drawn()

    def leave(self) -> None:
        """Restore the terminal; the next picture takes it over again. Raises OSError when it is gone."""
        if self._live.is_started:
            self._live.stop()
            self._write_drawn()

    def _write_drawn(self) -> None:
        """Write what Live has drawn, in one write if the terminal accepts that."""
        first, *others = _LINE_END_BLANKS.sub(_ERASE_LINE_REST, self._drawn.getvalue()).split("\n")
        self._drawn.seek(0)
        self._drawn.truncate()
        lines = (f"\x1b[{row};1H{line}" for row, line in enumerate(others, start=2))
        text = "".join([_BEGIN, _RESET_STYLE, first, *lines, _END])
        data = text.encode(self._encoding, "backslashreplace")
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # another process that shares the terminal has made it non-blocking
                select.select([], [self._descriptor], [], 1.0)


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
