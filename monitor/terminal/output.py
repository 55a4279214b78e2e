"""Where a dashboard is shown: pictures on a terminal, plain lines anywhere else."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from monitor.model.collector import Failures
from monitor.model.selection import ViewOptions
from monitor.model.view_model import ViewModel
from monitor.terminal.line_rhythm import LINE_SECONDS, LineRhythm
from monitor.view.plain_line import line
from virnucpro_bus.clock import SystemClock

if TYPE_CHECKING:
    from rich.console import Console, Group

    from monitor.terminal.pictures import Pictures

# The reader of a pipe, or the terminal itself, is gone for good, or the terminal does not read in the end.
_GONE = {errno.EPIPE, errno.EIO, errno.ETIMEDOUT}


class DashboardOutput:
    """The output of a dashboard. What is shown live never raises; only `print_table` does.

    Failures are counted, and output that is gone is not written again. `open` and `close` belong to one thread;
    any thread may call the other methods.
    """

    def __init__(
        self,
        console: Console | None,
        failures: Failures,
        redraw: Callable[[], object],
        *,
        is_enabled: bool = True,
        group: int | None = None,
        keys: str = "",
        line_seconds: float = LINE_SECONDS,
    ) -> None:
        """`console` None is the standard output. `redraw` is as for TerminalSignals, `group` as for Screen.

        `is_enabled` False writes nothing. `keys` lists the keys that work, as for `frame`. Plain lines are printed
        every `line_seconds`.
        """
        self._console = console
        self._failures = failures
        self._redraw = redraw
        self._is_enabled = is_enabled
        self._group = group
        self._keys = keys
        self._rhythm = LineRhythm(line_seconds)
        self._clock = SystemClock()  # a paused replay's clock stands still
        self.is_full_screen = False
        """Whether pictures are shown, from `open` to `close`, on a terminal that can show them."""
        self.write_error: OSError | None = None
        """Why a plain line could not be written, the last time; None while all were."""
        self.is_terminal_restored = True
        """False once `close` has given up a terminal that did not read."""

    @cached_property
    def _pictures(self) -> Pictures:
        # Takes long to load, and plain lines do without.
        from monitor.terminal.pictures import Pictures

        return Pictures(self._console, self._group, self._keys)

    def open(self) -> None:
        """Take over the terminal, if the output is one."""
        may_be_a_terminal = self._console is not None or sys.stdout.isatty()
        if self._is_enabled and may_be_a_terminal and self._pictures.can_be_drawn:
            self._guard(lambda: self._pictures.take_over(self._redraw))
            self.is_full_screen = self._pictures.are_shown

    def close(self, model: ViewModel, options: ViewOptions) -> None:
        """Give the terminal back, and print `model` one last time: as a table on a terminal, else as a line."""
        if not self.is_full_screen:
            if self._rhythm.is_last_due(model):
                self._guard(lambda: self._print_line(model, options))
            return
        self.is_full_screen = False
        self._guard(self._give_back)
        self._guard(lambda: self._print_table(model, options))

    def show(self, model: ViewModel, options: ViewOptions) -> None:
        """Show `model`: as a picture on a terminal, else as a plain line, if one is due."""
        if self.is_full_screen:
            self._guard(lambda: self._pictures.draw(model, options))
        elif self._rhythm.is_due(model, self._clock.mono_ns()):
            self._guard(lambda: self._print_line(model, options))

    def print_table(self, model: ViewModel, options: ViewOptions) -> None:
        """Print all rows of `model` as ordinary output that scrolls.

        Without control codes if the output is not a terminal, unless FORCE_COLOR asks for colours (`less -R`).
        Raises OSError when it cannot be written.
        """
        if self._is_enabled:
            self._print_table(model, options)

    def cropped_table(self, model: ViewModel, options: ViewOptions) -> Group:
        """Return the picture of `model`, cropped to the console's present size."""
        return self._pictures.cropped(model, options)

    def page_count(self, model: ViewModel, options: ViewOptions) -> int:
        """Return the number of pages in the present size; 1 unless pictures are shown."""
        return self._pictures.page_count(model, options) if self.is_full_screen else 1

    def _give_back(self) -> None:
        try:
            self._pictures.give_back()
        except TimeoutError:
            self.is_terminal_restored = False
            raise

    def _print_table(self, model: ViewModel, options: ViewOptions) -> None:
        if self._pictures.can_be_drawn or os.environ.get("FORCE_COLOR"):
            self._pictures.print_table(model, options)
        else:
            self._print_plain(self._pictures.plain_table(model, options))

    def _print_line(self, model: ViewModel, options: ViewOptions) -> None:
        try:
            self._print_plain(line(model, options))
            self._rhythm.note_printed(model, self._clock.mono_ns())
        except OSError as error:
            self.write_error = error
            raise

    def _print_plain(self, text: str) -> None:
        # Not through the console: FORCE_COLOR would make it write control codes into a log.
        file = sys.stdout if self._console is None else self._console.file
        encoding = getattr(file, "encoding", None) or "utf-8"
        file.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        file.flush()

    def _guard(self, write: Callable[[], object]) -> None:
        """Call `write`. Once the output is gone for good nothing more is written; other failures are counted."""
        if not self._is_enabled:
            return
        try:
            write()
        except Exception as error:  # one bad frame must not end the thread, nor the run that owns it
            if isinstance(error, OSError) and error.errno in _GONE:
                self._is_enabled = False
            else:
                self._failures.add(error)
