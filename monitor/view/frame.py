"""A view model as a frame: the lines of one full-screen picture. Pure functions.

A frame is a list of one-line `Text`s that fits a given width and height: the least important columns are dropped,
and rows are shown by the page, with a label that names it. Colour only repeats what a mark, a word or a figure
shows already. Every string of an event passes through `visible` first.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from monitor.model.paging import page_count, rows_in_view
from monitor.model.selection import EVERYTHING, ViewOptions
from monitor.model.view_model import ViewModel
from monitor.view.glyphs import GAP, MARGIN, UNICODE, Glyphs
from monitor.view.header import progress_line, title_line
from monitor.view.history import history_lines
from monitor.view.problems import lines_wanted, problem_lines
from monitor.view.steals import effect_line, latest_steals
from monitor.view.table import table

ROOMY_LINES, ROOMY_ROWS = 18, 6
"""From this height on, blank lines separate the parts of a frame, unless more rows than that need the room."""
UNLIMITED_LINES = 1_000_000
STEALS_KEPT = 2
"""How many steals are shown beside devices that do not all fit."""
STEALS_PRINTED = 8
"""How many steals are shown in a frame of unlimited height."""
RESERVED_LINES = 6
"""Below the table, for other things than the history: its gaps, two steals with their heading, the keys."""
HISTORY_LINES = 4
"""The history has so many lines if they are left, and half of what is left beyond; the steals have the others."""
PROBLEM_SHARE = 8
"""Problems get at least one line in so many of the frame, also when rows need all of them."""


@dataclass(frozen=True)
class _Layout:
    """How the lines of a frame are divided."""

    lines: int
    is_roomy: bool
    effect: list[Text]
    """The effect of stealing; empty when unknown or without room for it."""
    gap: int
    """Blank lines between two parts."""
    fixed: int
    """Lines of everything but rows, problems and steals."""
    rows: int
    """Lines for rows, including the page's label."""
    health: int
    """Lines for problems."""


def frame(
    model: ViewModel,
    width: int,
    height: int | None,
    glyphs: Glyphs = UNICODE,
    options: ViewOptions = EVERYTHING,
    keys: str = "",
) -> list[Text]:
    """Return the picture: at most `height` lines of at most `width` cells; all lines when `height` is None.

    `keys` lists the keys that work, the most important first, separated by two blanks; "": none.
    """
    devices = rows_in_view(model.rows, options)
    layout = _layout(model, width, height, len(devices), glyphs, has_keys=bool(keys))
    gap = [Text()] * layout.gap
    keys_beside, keys_below = ("", keys) if layout.is_roomy else (keys, "")
    header, rows, total = table(model, devices, width, layout.rows, glyphs, options, keys_beside)
    health = problem_lines(model.health, width, layout.health, glyphs)
    if layout.lines < layout.fixed + layout.health:
        lines = [progress_line(model, width, glyphs, is_untitled=True), header, total, *health]
    else:
        above = [title_line(model, width, glyphs), progress_line(model, width, glyphs)]
        table_lines = [*above, *layout.effect, *gap, header, *rows, total]
        room = 0 if height is None else layout.lines - len(table_lines) - len(health) - RESERVED_LINES
        history = history_lines(model, width, _history_room(room), glyphs) if layout.gap else []
        lines = [*table_lines, *gap, *([*history, Text()] if history else []), *health]
        left = layout.lines - len(lines) - layout.gap - bool(keys_below)
        steals = latest_steals(model, width, left if height is not None else 1 + STEALS_PRINTED, glyphs)
        lines += [*gap, *steals] if steals else []
        if keys_below and height is not None:
            lines += [Text()] * (height - 1 - len(lines))
            words = glyphs.join_fitting(keys_below.split(GAP), width - len(MARGIN))
            lines.append(Text(MARGIN + words, "dim"))
    return [cropped(text, width, glyphs) for text in lines[: layout.lines]]


def pages(
    model: ViewModel,
    width: int,
    height: int | None,
    glyphs: Glyphs = UNICODE,
    options: ViewOptions = EVERYTHING,
    keys: str = "",
) -> int:
    """Return the number of pages of the frame that the same arguments give; at least 1."""
    devices = len(rows_in_view(model.rows, options))
    return page_count(devices, _layout(model, width, height, devices, glyphs, has_keys=bool(keys)).rows)


def _layout(
    model: ViewModel, width: int, height: int | None, devices: int, glyphs: Glyphs, *, has_keys: bool
) -> _Layout:
    """Rows come first, then two steals, then problems; each gets what the ones before leave."""
    lines = UNLIMITED_LINES if height is None else height
    is_roomy = lines >= ROOMY_LINES
    gap = 1 if lines >= ROOMY_LINES + max(0, devices - ROOMY_ROWS) else 0
    effect = effect_line(model, width, glyphs) if is_roomy else []
    fixed = 4 + 2 * gap + len(effect) + (is_roomy and has_keys and height is not None)
    steals = gap + 1 + min(STEALS_KEPT, len(model.steals)) if model.steals and is_roomy else 0
    free = lines - fixed - steals
    least = max(1, min(len(model.health), lines // PROBLEM_SHARE))
    health = max(least, min(lines_wanted(model.health, width, glyphs), free - devices))
    return _Layout(lines, is_roomy, effect, gap, fixed, free - health, health)


def _history_room(left: int) -> int:
    return min(left, HISTORY_LINES) + max(0, left - HISTORY_LINES) // 2


def cropped(text: Text, width: int, glyphs: Glyphs) -> Text:
    """Return `text` in at most `width` cells, with an ellipsis: a figure that is cut must be recognizable."""
    text.no_wrap = True
    if cell_len(text.plain) > width:
        text.truncate(width - len(glyphs.ellipsis), overflow="crop")
        text.append(glyphs.ellipsis)
    return text
