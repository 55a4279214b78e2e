"""Which rows of a table are shown, and in which order. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.model.health import needs_attention
from monitor.model.selection import ViewOptions, select
from monitor.model.view_model import Row


@dataclass(frozen=True)
class Page:
    """Some of the rows, and where they stand among all."""

    rows: Sequence[Row]
    first: int
    """The place of the first of them, from 0."""
    total: int
    number: int
    """Of the page, from 0."""
    pages: int

    @property
    def in_words(self) -> str:
        """For example "rows 1-14 of 64, page 1/5"; empty where all rows are shown."""
        if len(self.rows) == self.total:
            return ""
        if not self.rows:
            return f"no room for {self.total} rows"
        last = self.first + len(self.rows)
        return f"rows {self.first + 1}-{last} of {self.total}, page {self.number + 1}/{self.pages}"


def wanted(rows: Sequence[Row], look: ViewOptions) -> Sequence[Row]:
    """The rows that `look` chooses, in its order."""
    own = rows if look.devices is None else select(rows, look.devices)
    figure = _FIGURES.get(look.sort)
    return own if figure is None else sorted(own, key=lambda row: _greatest_first(figure(row)))


def page_count(total: int, room: int) -> int:
    """How many pages `total` rows make in `room` lines. Where they do not fit, one line says which page it is."""
    return 1 if total <= room or room <= 1 else -(-total // (room - 1))


def page_of(rows: Sequence[Row], room: int, number: int) -> Page:
    """Page `number`, modulo how many there are. Where not all rows fit, those in trouble come first."""
    total = len(rows)
    if total <= room:
        return Page(rows, 0, total, 0, 1)
    pages, each = page_count(total, room), max(0, room - 1)
    number %= pages
    first = number * each
    return Page(troubled_first(rows)[first : first + each], first, total, number, pages)


def troubled_first(rows: Sequence[Row]) -> list[Row]:
    """Devices in trouble before the others, otherwise as they are."""
    return sorted(rows, key=lambda row: not needs_attention(row))


_FIGURES: dict[str, Callable[[Row], float | None]] = {
    "utilization": lambda row: row[1]["compute_percent"],
    "queue": lambda row: row[0]["queue_depth"],
}


def _greatest_first(value: float | None) -> tuple[bool, float]:
    """Sorts what is unknown last."""
    return value is None, -(value or 0)
