"""Which rows are on a page, and in which order. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.model.selection import ViewOptions, select
from monitor.model.view_model import DeviceKey, device_key
from virnucpro_bus.health.problems import needs_attention
from virnucpro_bus.health.rows import Row


def _utilization(row: Row) -> float | None:
    """The load of the GPU; of a device without one, that of its processes."""
    work, gpu = row
    return work["cpu_percent"] if gpu["compute_percent"] is None else gpu["compute_percent"]


_SORT_KEYS: dict[str, Callable[[Row], float | None]] = {
    "utilization": _utilization,
    "queue": lambda row: row[0]["queue_depth"],
}
"""The figure that rows are sorted by, the greatest first, by ViewOptions.sort."""


@dataclass(frozen=True)
class Page:
    """Some of the rows, and their position among all."""

    rows: Sequence[Row]
    first: int
    """The position of the first row, from 0."""
    total: int
    """The number of rows of all pages."""
    number: int
    """The page's number, from 0."""
    pages: int

    @property
    def label(self) -> str:
        """For example "rows 1-14 of 64, page 1/5"; empty when all rows are shown."""
        if len(self.rows) == self.total:
            return ""
        if not self.rows:
            return f"no room for {self.total} rows"
        last = self.first + len(self.rows)
        return f"rows {self.first + 1}-{last} of {self.total}, page {self.number + 1}/{self.pages}"


def rows_in_view(rows: Sequence[Row], options: ViewOptions) -> Sequence[Row]:
    """Return the rows that `options` selects, of all pages, in its order."""
    selected = rows if options.devices is None else select(rows, options.devices)
    figure = _SORT_KEYS.get(options.sort)
    return selected if figure is None else sorted(selected, key=lambda row: _greatest_first(figure(row)))


def page_count(total: int, room: int) -> int:
    """Return the number of pages of `total` rows in `room` lines. Several pages take a line for the label."""
    return 1 if total <= room or room <= 1 else -(-total // (room - 1))


def in_shown_order(rows: Sequence[Row], pages: int) -> Sequence[Row]:
    """Return `rows` in the order of so many pages: with several, devices with problems come first."""
    return rows if pages <= 1 else attention_first(rows)


def page_of(rows: Sequence[Row], room: int, number: int, chosen: DeviceKey | None = None) -> Page:
    """Return page `number`, modulo the number of pages, or that of the chosen device, if it is in `rows`."""
    total = len(rows)
    if total <= room:
        return Page(rows, 0, total, 0, 1)
    pages, each = page_count(total, room), max(0, room - 1)
    ordered = in_shown_order(rows, pages)
    keys = [device_key(metrics) for metrics, _ in ordered]
    number = keys.index(chosen) // each if each and chosen in keys else number % pages
    first = number * each
    return Page(ordered[first : first + each], first, total, number, pages)


def attention_first(rows: Sequence[Row]) -> list[Row]:
    """Return the devices that need attention, then the others, both in their order."""
    return sorted(rows, key=lambda row: not needs_attention(row))


def _greatest_first(value: float | None) -> tuple[bool, float]:
    """A sort key; unknown values come last."""
    return value is None, -(value or 0)
