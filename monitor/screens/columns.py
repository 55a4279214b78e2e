"""Small tables of a screen: headings, and lines whose columns are as wide as their contents. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from monitor.view.glyphs import GAP, MARGIN, Glyphs
from virnucpro_bus.units import UNKNOWN

Line = tuple[str, ...]
"""The cells of one line, safe to be printed."""
NONE = "none"
MOST_LINES_OF_ONE = 8
"""Of a line that is too long for the screen."""
_INDENT = MARGIN + GAP


def heading(text: str, aside: str = "") -> Text:
    """Return the heading of a part of a screen, and what stands beside it."""
    title = Text(MARGIN).append(text, "bold cyan")
    return title.append(GAP + aside, "dim") if aside else title


def aligned(lines: Sequence[Line], headers: Line | None, width: int, glyphs: Glyphs) -> list[Text]:
    """Return `lines` below their headers, if they have some, without columns in which all is unknown.

    Of the last column the beginning is shown where it does not fit. No text without a line.
    """
    if not lines:
        return []
    *known, _ = zip(*lines, strict=True)
    shown = [number for number, column in enumerate(known) if any(cell != UNKNOWN for cell in column)]
    shown.append(len(known))
    table = [tuple(line[number] for number in shown) for line in ([headers] if headers else []) + [*lines]]
    cells = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    cells[-1] = max(1, width - len(_INDENT) - sum(cells[:-1]) - len(GAP) * (len(cells) - 1))
    texts = [Text(_INDENT + _joined(line, cells, glyphs)) for line in table]
    if headers:
        texts[0].stylize("dim")
    return texts


def pairs(figures: Sequence[tuple[str, str]], width: int) -> list[Text]:
    """Return named figures in as many columns as fit; those that are unknown are left out."""
    known = [(name, value) for name, value in figures if value != UNKNOWN]
    name_cells = max((len(name) for name, _ in known), default=0)
    value_cells = max((cell_len(value) for _, value in known), default=0)
    each = name_cells + value_cells + 2 * len(GAP)
    columns = max(1, (width - len(_INDENT)) // each)
    texts = []
    for first in range(0, len(known), columns):
        text = Text(_INDENT)
        for name, value in known[first : first + columns]:
            text.append(f"{name:<{name_cells}}{GAP}", "dim").append(set_cell_size(value, value_cells) + GAP)
        texts.append(text)
    return texts


def wrapped(lines: Iterable[str], width: int, glyphs: Glyphs) -> list[Text]:
    """Return lines from elsewhere, made safe; one that is too long takes more than one line, up to a limit."""
    cells = max(1, width - len(_INDENT) - len(GAP))
    texts: list[Text] = []
    for line in lines:
        safe = glyphs.text(line)
        if cell_len(safe) <= width - len(_INDENT):
            texts.append(Text(_INDENT + safe))
            continue
        first, *others = glyphs.wrap(safe, cells, MOST_LINES_OF_ONE)
        texts += [Text(_INDENT + first), *(Text(_INDENT + GAP + other) for other in others)]
    return texts


def last(lines: Sequence[Text], room: int) -> list[Text]:
    """Return the last of `lines`, at most `room`."""
    return [*lines[max(0, len(lines) - max(0, room)) :]]


def shares(wanted: Sequence[int], room: int) -> list[int]:
    """Divide `room` lines evenly among parts of a screen that want so many; each gets one, if it wants any."""
    given = [min(1, lines) for lines in wanted]
    left = room - sum(given)
    while left > 0 and given != list(wanted):
        for part, lines in enumerate(wanted):
            if given[part] < lines and left > 0:
                given[part] += 1
                left -= 1
    return given


def _joined(line: Line, cells: Sequence[int], glyphs: Glyphs) -> str:
    *others, last = zip(line, cells, strict=True)
    before = [set_cell_size(cell, size) for cell, size in others]
    return GAP.join([*before, glyphs.shorten(*last, keep_end=False)])
