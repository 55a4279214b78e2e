"""Where a dashboard is shown: pictures on a terminal, plain lines anywhere else."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from rich.console import Console, Group

from monitor.model.collector import Failures
from monitor.model.selection import ViewOptions
from monitor.model.view_model import ViewModel
from monitor.terminal.screen import glyphs_for, is_screen, with_size
from monitor.terminal.session import TerminalSession
from monitor.view.frame import frame, pages
from monitor.view.plain_line import line

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
    ) -> None:
        """`console` None is the standard output. `redraw` is as for TerminalSignals, `group` as for Screen.

        `is_enabled` False writes nothing. `keys` lists the keys that work, as for `frame`.
        """
        self._console = with_size(console or Console(markup=False, highlight=False, emoji=False))
        self._failures = failures
        self._redraw = redraw
        self._is_enabled = is_enabled
        self._group = group
        self._keys = keys
        self._session: TerminalSession | None = None
        self.write_error: OSError | None = None
        """Why a plain line could not be written, the last time; None while all were."""
        self.is_terminal_restored = True
        """False once `close` has given up a terminal that did not read."""

    @property
    def is_full_screen(self) -> bool:
        """Whether pictures are shown, from `open` to `close`, on a terminal that can show them."""
        return self._session is not None

    def open(self) -> None:
        """Take over the terminal, if the output is one."""
        if self._is_enabled and is_screen(self._console):
            self._guard(self._take_over)

    def close(self, model: ViewModel, options: ViewOptions) -> None:
        """Give the terminal back, and print `model` one last time: as a table on a terminal, else as a line."""
        session, self._session = self._session, None
        if session is None:
            self.show(model, options)
        else:
            self._guard(lambda: self._give_back(session))
            self._guard(lambda: self._print_table(model, options))

    def show(self, model: ViewModel, options: ViewOptions) -> None:
        """Show `model`: as a picture on a terminal, else as a plain line."""
        session = self._session
        if session is None:
            self._guard(lambda: self._print_line(line(model, options)))
        else:
            self._guard(lambda: self._draw(session, model, options))

    def print_table(self, model: ViewModel, options: ViewOptions) -> None:
        """Print all rows of `model` as ordinary output that scrolls.

        Without control codes if the output is not a terminal, unless FORCE_COLOR asks for colours (`less -R`).
        Raises OSError when it cannot be written.
        """
        if self._is_enabled:
            self._print_table(model, options)

    def cropped_table(self, model: ViewModel, options: ViewOptions) -> Group:
        """Return the picture of `model`, cropped to the console's present size."""
        width, height = self._console.size
        return Group(*frame(model, width, height, glyphs_for(self._console), options))

    def page_count(self, model: ViewModel, options: ViewOptions) -> int:
        """Return the number of pages in the present size; 1 unless pictures are shown."""
        if self._session is None:
            return 1
        width, height = self._console.size
        return pages(model, width, height, glyphs_for(self._console), options, self._keys)

    def _take_over(self) -> None:
        self._session = TerminalSession(self._console, self._redraw, self._group)

    def _give_back(self, session: TerminalSession) -> None:
        try:
            session.give_back()
        except TimeoutError:
            self.is_terminal_restored = False
            raise

    def _draw(self, session: TerminalSession, model: ViewModel, options: ViewOptions) -> None:
        width, height = self._console.size
        session.draw(frame(model, width, height, glyphs_for(self._console), options, self._keys), width, height)

    def _print_table(self, model: ViewModel, options: ViewOptions) -> None:
        table = frame(model, self._console.width, None, glyphs_for(self._console), options)
        if is_screen(self._console) or os.environ.get("FORCE_COLOR"):
            self._console.print(Group(*table))
        else:
            self._print_plain("\n".join(text.plain.rstrip() for text in table))

    def _print_line(self, text: str) -> None:
        try:
            self._print_plain(text)
        except OSError as error:
            self.write_error = error
            raise

    def _print_plain(self, text: str) -> None:
        # Not through the console: FORCE_COLOR would make it write control codes into a log.
        file = self._console.file
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
