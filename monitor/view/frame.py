"""From a snapshot to what a person sees on a terminal. Pure functions.

A frame is a list of one-line `Text`s that fits the given width and height by itself: columns are dropped from
the least important, rows are shown by the page with a word on which they are. Colour only repeats what a mark, a
word or a figure says already. No string of an event reaches a line except through `visible`.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from monitor.model.paging import page_count, wanted
from monitor.model.selection import EVERYTHING, ViewOptions
from monitor.model.view_model import ViewModel
from monitor.view.glyphs import GAP, MARGIN, UNICODE, Glyphs
from monitor.view.header import progress, title
from monitor.view.problems import lines_wanted, problem_lines
from monitor.view.steals import latest_steals, stealing
from monitor.view.table import table

ROOMY_LINES, ROOMY_ROWS = 18, 6
"""From this height on, blank lines set the parts of a frame off, unless more rows than that need the room."""
UNLIMITED_LINES = 1_000_000
STEALS_KEPT = 2
"""Steals shown beside devices that do not all fit."""
STEALS_PRINTED = 8
"""Of a frame of unlimited height."""


@dataclass(frozen=True)
class _Room:
    """How the lines of a frame are shared out."""

    lines: int
    is_roomy: bool
    told: list[Text]
    """What is said of stealing, where there is room for it."""
    gap: int
    """Blank lines between two parts."""
    fixed: int
    """What all but rows, problems and steals takes."""
    rows: int
    """What there is for rows, and for the line that says which they are."""
    health: int
    """What there is for problems."""


def frame(
    snapshot: ViewModel,
    width: int,
    height: int | None,
    glyphs: Glyphs = UNICODE,
    look: ViewOptions = EVERYTHING,
    keys: str = "",
) -> list[Text]:
    """The whole picture, at most `height` lines of at most `width` cells; all of it when `height` is None.

    `keys` says what can be typed, the most important first, with two blanks between one and the next; "": nothing.
    """
    devices = wanted(snapshot.rows, look)
    room = _room(snapshot, width, height, len(devices), glyphs, hint=bool(keys))
    gap = [Text()] * room.gap
    beside, below = ("", keys) if room.is_roomy else (keys, "")
    header, rows, total = table(snapshot, devices, width, room.rows, glyphs, look, beside)
    health = problem_lines(snapshot.health, width, room.health, glyphs)
    if room.lines < room.fixed + room.health:
        lines = [progress(snapshot, width, glyphs, untitled=True), header, total, *health]
    else:
        above = [title(snapshot, width, glyphs), progress(snapshot, width, glyphs)]
        lines = [*above, *room.told, *gap, header, *rows, total, *gap, *health]
        left = room.lines - len(lines) - room.gap - bool(below)
        steals = latest_steals(snapshot, width, left if height is not None else 1 + STEALS_PRINTED, glyphs)
        lines += [*gap, *steals] if steals else []
        if below and height is not None:
            lines += [Text()] * (height - 1 - len(lines))
            lines.append(Text(MARGIN + glyphs.fitting(below.split(GAP), width - len(MARGIN)), "dim"))
    return [_cropped(text, width, glyphs) for text in lines[: room.lines]]


def pages(
    snapshot: ViewModel,
    width: int,
    height: int | None,
    glyphs: Glyphs = UNICODE,
    look: ViewOptions = EVERYTHING,
    keys: str = "",
) -> int:
    """How many pages the devices make in the frame that the same arguments give; at least 1."""
    devices = len(wanted(snapshot.rows, look))
    return page_count(devices, _room(snapshot, width, height, devices, glyphs, hint=bool(keys)).rows)


def _room(
    snapshot: ViewModel, width: int, height: int | None, devices: int, glyphs: Glyphs, *, hint: bool
) -> _Room:
    """Rows come first, then two steals, then problems, each with what the ones before leave."""
    lines = UNLIMITED_LINES if height is None else height
    is_roomy = lines >= ROOMY_LINES
    gap = 1 if lines >= ROOMY_LINES + max(0, devices - ROOMY_ROWS) else 0
    told = stealing(snapshot, width, glyphs) if is_roomy else []
    fixed = 4 + 2 * gap + len(told) + (is_roomy and hint and height is not None)
    steals = gap + 1 + min(STEALS_KEPT, len(snapshot.steals)) if snapshot.steals and is_roomy else 0
    free = lines - fixed - steals
    # Also where rows take all there is, what is wrong must be seen.
    least = max(1, min(len(snapshot.health), lines // 8))
    health = max(least, min(lines_wanted(snapshot.health, width, glyphs), free - devices))
    return _Room(lines, is_roomy, told, gap, fixed, free - health, health)


def _cropped(text: Text, width: int, glyphs: Glyphs) -> Text:
    """No longer than `width`, whatever it is; a figure that is cut must be seen to be."""
    text.no_wrap = True
    if cell_len(text.plain) > width:
        text.truncate(width - len(glyphs.ellipsis), overflow="crop")
        text.append(glyphs.ellipsis)
    return text
