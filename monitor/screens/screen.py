"""The screen that is wanted, as lines that fit a terminal: the overview, or another one below its title."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text

from monitor.model.selection import ScreenKind, ViewOptions
from monitor.model.view_model import ViewModel
from monitor.screens.device import device_lines
from monitor.screens.effect import effect_lines
from monitor.screens.files import file_lines
from monitor.screens.help import help_lines
from monitor.screens.logs import log_lines
from monitor.view.frame import cropped, frame, pages
from monitor.view.glyphs import GAP, MARGIN, Glyphs
from monitor.view.header import progress_line, title_line

_Body = Callable[[ViewModel, int, int, Glyphs, ViewOptions], Sequence[Text]]
"""Makes all lines of a screen, of a width; those that show the end of something need the room they have."""
_BODIES: dict[ScreenKind, _Body] = {
    ScreenKind.HELP: help_lines,
    ScreenKind.DEVICE: device_lines,
    ScreenKind.FILES: file_lines,
    ScreenKind.LOGS: log_lines,
    ScreenKind.EFFECT: effect_lines,
}
_FIXED_LINES = 4
"""Title, progress, a blank line, and the keys."""
_KEYS = {
    ScreenKind.DEVICE: "esc back  up down other device  n p page  ? help",
    ScreenKind.LOGS: "esc back  n p other log  ? help",
}
_KEYS_ELSEWHERE = "esc back  n p page  ? help"


def screen(
    model: ViewModel, width: int, height: int, glyphs: Glyphs, options: ViewOptions, keys: str
) -> list[Text]:
    """Return the picture: at most `height` lines of at most `width` cells. `keys` are those of the overview."""
    if options.screen is ScreenKind.OVERVIEW:
        return frame(model, width, height, glyphs, options, keys)
    room = max(1, height - _FIXED_LINES)
    body = _BODIES[options.screen](model, width, room, glyphs, options)
    first = options.page % max(1, -(-len(body) // room)) * room
    shown = [*body[first : first + room]]
    above = [title_line(model, width, glyphs), progress_line(model, width, glyphs), Text()]
    words = glyphs.join_fitting(_KEYS.get(options.screen, _KEYS_ELSEWHERE).split(GAP), width - len(MARGIN))
    lines = [*above, *shown, *[Text()] * (room - len(shown)), Text(MARGIN + words, "dim")]
    return [cropped(text, width, glyphs) for text in lines[:height]]


def screen_pages(
    model: ViewModel, width: int, height: int, glyphs: Glyphs, options: ViewOptions, keys: str
) -> int:
    """Return the number of pages of the overview's table; 1 on other screens, whose pages turn by keys alone."""
    return pages(model, width, height, glyphs, options, keys) if options.screen is ScreenKind.OVERVIEW else 1
