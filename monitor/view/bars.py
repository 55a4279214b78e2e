"""Percentages as bars, in the columns that stand beside the figures. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monitor.view.columns import Cells, Column
from monitor.view.glyphs import Glyphs
from virnucpro_bus.health.rows import Row

_PERCENTS: dict[str, tuple[str, Callable[[Row], float | None]]] = {
    "compute_bar": ("compute", lambda row: row[1]["compute_percent"]),
    "memory_bar": ("memory", lambda row: row[1]["memory_percent"]),
}
"""By the key of a bar: that of its figure, and the percentage."""
BARS = {bar: figure for bar, (figure, _) in _PERCENTS.items()}
"""The figure beside which each bar stands."""


def add_bars(columns: Sequence[Column], rows: Sequence[Row], bodies: Sequence[Cells], glyphs: Glyphs) -> None:
    """Draw the bars of the rows, in the colours of their figures; none where a figure is unknown."""
    for column in columns:
        if column.key in _PERCENTS:
            figure, percent_of = _PERCENTS[column.key]
            for body, row in zip(bodies, rows, strict=True):
                if (percent := percent_of(row)) is not None:
                    cells = round(percent * column.cells / 100)
                    body[column.key] = glyphs.full * cells, body[figure][1] or "green"
