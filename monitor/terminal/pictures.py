"""Pictures and tables of a view model by rich, on a terminal that is taken over or as output that scrolls."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console, Group
from rich.text import Text

from monitor.model.selection import ViewOptions
from monitor.model.view_model import ViewModel
from monitor.screens.screen import screen, screen_pages
from monitor.terminal.screen import glyphs_for, is_screen, with_size
from monitor.terminal.session import TerminalSession
from monitor.view.frame import frame


class Pictures:
    """What a console shows of a dashboard. `take_over` and `give_back` belong to one thread."""

    def __init__(self, console: Console | None, group: int | None = None, keys: str = "") -> None:
        """`console` None is the standard output; `group` is as for Screen. `keys` are listed, as for `frame`."""
        self._console = with_size(console or Console(markup=False, highlight=False, emoji=False))
        self._group = group
        self._keys = keys
        self._session: TerminalSession | None = None

    @property
    def can_be_drawn(self) -> bool:
        """Whether the console is a terminal that can show pictures."""
        return is_screen(self._console)

    @property
    def are_shown(self) -> bool:
        """Whether the terminal is taken over."""
        return self._session is not None

    def take_over(self, redraw: Callable[[], object]) -> None:
        """Take the terminal over; `redraw` is as for TerminalSignals. Raises OSError as TerminalSession does."""
        self._session = TerminalSession(self._console, redraw, self._group)

    def give_back(self) -> None:
        """Restore the terminal, and print what was held. Raises OSError; TimeoutError: it does not read."""
        session, self._session = self._session, None
        if session is not None:
            session.give_back()

    def draw(self, model: ViewModel, options: ViewOptions) -> None:
        """Replace the picture on the terminal, if that is taken over. Raises OSError when it is gone."""
        session = self._session
        if session is not None:
            width, height = self._console.size
            glyphs = glyphs_for(self._console)
            session.draw(screen(model, width, height, glyphs, options, self._keys), width, height)

    def page_count(self, model: ViewModel, options: ViewOptions) -> int:
        """Return the number of pages in the console's present size."""
        width, height = self._console.size
        return screen_pages(model, width, height, glyphs_for(self._console), options, self._keys)

    def cropped(self, model: ViewModel, options: ViewOptions) -> Group:
        """Return the picture of `model`, cropped to the console's present size."""
        width, height = self._console.size
        return Group(*frame(model, width, height, glyphs_for(self._console), options))

    def print_table(self, model: ViewModel, options: ViewOptions) -> None:
        """Print all rows, with colours if the console has any. Raises OSError when it cannot be written."""
        self._console.print(Group(*self._table(model, options)))

    def plain_table(self, model: ViewModel, options: ViewOptions) -> str:
        """Return all rows as plain lines."""
        return "\n".join(text.plain.rstrip() for text in self._table(model, options))

    def _table(self, model: ViewModel, options: ViewOptions) -> list[Text]:
        return frame(model, self._console.width, None, glyphs_for(self._console), options)
