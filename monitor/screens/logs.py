"""The screen of logs: the end of one log of the run, the one that was last written first. Pure functions."""

from __future__ import annotations

from rich.text import Text

from monitor.model.selection import ViewOptions
from monitor.model.view_model import ViewModel
from monitor.screens.columns import heading, last, wrapped
from monitor.view.formatting import bytes_text
from monitor.view.glyphs import GAP, Glyphs

NO_LOG = "none: nothing was printed, or the run folder is not on this machine"


def log_lines(model: ViewModel, width: int, room: int, glyphs: Glyphs, options: ViewOptions) -> list[Text]:
    """Return the name of a log, and as many of its last lines as there is room for."""
    if not model.logs:
        return [heading("LOGS", NO_LOG)]
    log = model.logs[0]
    return [
        heading(f"LOG {log.number + 1} of {log.total}{GAP}{glyphs.text(log.name)}", bytes_text(log.size_bytes)),
        *last(wrapped(log.lines, width, glyphs), room - 1),
    ]
