"""The columns of the device table: which of them fit, how wide they are, and how a line is written in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from rich.cells import cell_len
from rich.text import Text

from monitor.model.trends import SAMPLES_KEPT
from monitor.view.glyphs import GAP, MARGIN, Glyphs
from virnucpro_bus.units import UNKNOWN

Cells = dict[str, tuple[str, str]]
"""One line of the table, by column key: (content, style)."""
NO_CELL = ("", "")


class Cut(Enum):
    """Where a column cuts a content that is too long for it."""

    NEVER = auto()
    END = auto()
    START = auto()
    OLDEST = auto()
    """The start, but without an ellipsis: for sparklines, which begin anywhere."""
    DRAWN = auto()
    """Nowhere: it is a bar, drawn when the width is known, and what it leaves of the column is its track."""


@dataclass(frozen=True)
class Column:
    """One column of the table. The columns of the lowest `rank` are chosen first, as far as they fit."""

    key: str
    header: str
    rank: int
    cells: int
    """The width, so that the table does not move while figures change.

    A column that is never cut gets more if it needs more; one that may be cut gets less if it needs less.
    """
    most_cells: int = 0
    """The width up to which a column that may be cut grows if there is room."""
    cut: Cut = Cut.NEVER
    left: bool = False
    """Whether it is aligned to the left."""

    @property
    def name(self) -> str:
        """What users call it: its header in small letters; "" for a bar, which stands beside its figure."""
        return self.header.strip().lower()


COLUMNS = (
    Column("device", "  DEVICE", 0, 12, 16, Cut.END, left=True),
    Column("host", "HOST", 1, 10, 24, Cut.END, left=True),
    Column("run", "RUN", 1, 10, 24, Cut.START, left=True),
    Column("name", "NAME", 5, 10, 24, Cut.END, left=True),
    Column("state", "STATE", 20, 8, left=True),
    Column("compute", "COMPUTE", 3, 7),
    Column("compute_bar", "", 15, 8, 20, Cut.DRAWN, left=True),
    Column("max", "MAX", 21, 4),
    Column("compute_trend", "LOAD", 12, 6, SAMPLES_KEPT, Cut.OLDEST),
    Column("memory", "MEMORY", 6, 6),
    Column("memory_bar", "", 16, 8, 20, Cut.DRAWN, left=True),
    Column("used", "USED", 6, 13),
    Column("cpu", "CPU", 17, 5),
    Column("resident", "RSS", 18, 8),
    Column("reads", "READ", 19, 9),
    Column("rate", "SEQ/S", 2, 7),
    Column("rate_trend", "RATE", 13, 6, SAMPLES_KEPT, Cut.OLDEST),
    Column("queue", "QUEUE", 4, 5),
    Column("completed", "DONE", 7, 5),
    Column("failed", "FAIL", 8, 4),
    Column("stolen", "STEALS", 9, 7),
    Column("temperature", "TEMP", 11, 6),
    Column("power", "POWER", 14, 6),
    Column("file", "FILE", 10, 14, 28, Cut.START, left=True),
)
"""At 80 cells FILE fits, at 100 LOAD and TEMP too. Which of them tell something is for `useful_columns.py`."""


def chosen_columns(names: Sequence[str]) -> list[Column]:
    """Return the columns of these names (see `Column.name`), after DEVICE; the last ones are dropped first."""
    by_name = {column.name: column for column in COLUMNS}
    wanted = dict.fromkeys(["device", *names])
    return [replace(by_name[name], rank=rank) for rank, name in enumerate(wanted)]


def fit_columns(columns: Sequence[Column], lines: Sequence[Cells], width: int) -> list[Column]:
    """Return the columns that fit, with their widths for `lines`. Those that may be cut share the spare cells.

    Where an important one is too wide, less important ones may have its room.
    """
    wanted = {column.key: _wanted_cells(column, lines) for column in columns}
    kept: dict[str, Column] = {}
    left = width - len(MARGIN) + len(GAP)
    for column in sorted(columns, key=lambda column: column.rank):
        needed = max if column.cut is Cut.NEVER else min
        cells = needed(wanted[column.key], column.cells)
        if kept and left < cells + len(GAP):
            continue
        left -= cells + len(GAP)
        kept[column.key] = replace(column, cells=cells)
    shares = _shares(kept.values(), wanted, left)
    return [
        replace(kept[column.key], cells=kept[column.key].cells + shares.get(column.key, 0))
        for column in columns
        if column.key in kept
    ]


def _wanted_cells(column: Column, lines: Sequence[Cells]) -> int:
    if column.cut in (Cut.START, Cut.DRAWN):
        # File names change all the time: if they were measured, the columns before them would move.
        return column.most_cells
    return max(len(column.header), *(cell_len(cells.get(column.key, NO_CELL)[0]) for cells in lines))


def _shares(columns: Iterable[Column], wanted: Mapping[str, int], left: int) -> dict[str, int]:
    """Divide `left` cells evenly among the columns that may be cut."""
    growth = sorted(
        (max(0, min(column.most_cells, wanted[column.key]) - column.cells), column.key)
        for column in columns
        if column.cut is not Cut.NEVER
    )
    shares = {}
    for remaining, (most, key) in zip(range(len(growth), 0, -1), growth, strict=True):
        shares[key] = min(most, left // remaining)
        left -= shares[key]
    return shares


def header_line(columns: Sequence[Column], sorted_by: str | None, glyphs: Glyphs) -> Text:
    """Return the headers. The mark of the sorted column takes a cell of the gap before it, so nothing moves."""
    text = Text(style="bold cyan")
    for index, column in enumerate(columns):
        gap = GAP if index else MARGIN
        if column.left:
            text.append(gap + column.header.ljust(column.cells))
        else:
            mark = glyphs.greatest_first if column.key == sorted_by else ""
            text.append((mark + column.header).rjust(len(gap) + column.cells))
    return text


def line_of(columns: Sequence[Column], cells: Cells, glyphs: Glyphs) -> Text:
    """Return one line of the table."""
    text = Text()
    for index, column in enumerate(columns):
        content, style = cells.get(column.key, NO_CELL)
        if column.cut is Cut.OLDEST:
            content = content[-column.cells :]
        content = glyphs.shorten(content, column.cells, keep_end=column.cut is Cut.START)
        padding = " " * (column.cells - cell_len(content))
        text.append(GAP if index else MARGIN)
        if column.cut is Cut.DRAWN and column.key in cells:
            text.append(content, style).append(glyphs.empty * len(padding), "dim")
            continue
        text.append(
            content + padding if column.left else padding + content, style or ("dim" if content == UNKNOWN else "")
        )
    return text
