"""The alternate screen of a terminal: each picture is one write, and the terminal is restored afterwards.

Every line is positioned on its own, so nothing scrolls if the terminal has become smaller meanwhile. Nothing is
cleared between two pictures.
"""

from __future__ import annotations

import os
import select
import shutil
import threading
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from monitor.view.glyphs import ASCII, UNICODE, Glyphs
from virnucpro_bus.system.keyboard import is_foreground

_ENTER = "\x1b[?1049h\x1b[?25l"
_LEAVE = "\x1b[0m\x1b[?25h\x1b[?1049l"
# A terminal that knows these shows everything between them at once.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
_ERASE_LINE_REST, _ERASE_BELOW = "\x1b[K", "\x1b[J"
_C_LOCALES = ("C", "POSIX")


class Screen:
    """The alternate screen of the terminal that `console` writes to. Any thread."""

    def __init__(self, console: Console, group: int | None = None) -> None:
        """`group` is the process group that owns the terminal; None: this process's own."""
        self._console = console
        self._descriptor = console.file.fileno()
        self._owner = os.getpid()
        self._group = group
        # Reentrant: a signal may arrive while the same thread draws.
        self._lock = threading.RLock()
        self._shown = False
        self._paused = False

    def draw(self, picture: Sequence[Text], width: int, height: int) -> None:
        """Replace the picture on the screen by `picture`, which fits `width` cells and `height` lines.

        Does nothing while paused, or while another job has the terminal: it is given back then. Raises OSError
        when the terminal is gone.
        """
        drawn = self._encoded(picture, width, height)
        with self._lock:
            if self._paused or os.getpid() != self._owner:
                return
            if not is_foreground(self._descriptor, self._group):
                self._leave()
                return
            self._write(drawn if self._shown else _ENTER.encode() + drawn)
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
            self._write(_LEAVE.encode())
            self._shown = False

    def _encoded(self, picture: Sequence[Text], width: int, height: int) -> bytes:
        with self._console.capture() as captured:
            for text in picture:
                self._console.print(text, soft_wrap=True)
        parts = [_BEGIN]
        for row, (text, line) in enumerate(zip(picture, captured.get().split("\n"), strict=False), start=1):
            # After a full line there is nothing to erase, and some terminals would erase its last column.
            erase = _ERASE_LINE_REST if cell_len(text.plain) < width else ""
            parts.append(f"\x1b[{row};1H{line}{erase}")
        if len(picture) < height:
            parts.append(f"\x1b[{len(picture) + 1};1H{_ERASE_BELOW}")
        return "".join([*parts, _END]).encode(self._console.encoding, "backslashreplace")

    def _write(self, data: bytes) -> None:
        """Write all of `data`, in one write if the terminal accepts that."""
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
