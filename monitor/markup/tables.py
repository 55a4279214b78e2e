"""One table: a caption, named columns, and rows of text. What rows there are, other modules say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from monitor.markup.html import Content, Markup, element, shortened
from virnucpro_bus.units import UNKNOWN

CELL_CHARACTERS = 1_000
"""Longer texts are cut."""


class Column(NamedTuple):
    """A column of a table."""

    name: str
    is_number: bool = False
    """Numbers are aligned at the right."""
    is_long: bool = False
    """Whether its texts may be broken into lines."""


def table(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Content]]) -> Markup:
    """Make a table that scrolls on a narrow screen.

    A cell that is None is unknown. The first cell of a row names it.
    """
    classes = ["number" if each.is_number else "long" if each.is_long else None for each in columns]
    heads = [
        element("th", column.name, scope="col", class_=name) for column, name in zip(columns, classes, strict=True)
    ]
    body = [
        element(
            "tr",
            [
                element(
                    "td" if at else "th",
                    _shown(cell),
                    class_=name,
                    scope=None if at else "row",
                )
                for at, (cell, name) in enumerate(zip(row, classes, strict=True))
            ],
        )
        for row in rows
    ]
    made = element(
        "table", element("caption", caption), element("thead", element("tr", heads)), element("tbody", body)
    )
    return element("div", made, class_="scroll", tabindex="0", role="group", aria_label=caption)


def _shown(cell: Content) -> Content:
    if cell is None:
        return UNKNOWN
    return shortened(cell, CELL_CHARACTERS) if isinstance(cell, str) and not isinstance(cell, Markup) else cell


def grouped_table(
    caption: str,
    columns: Sequence[Column],
    rows: Iterable[tuple[str, Sequence[Content]]],
    group: str | None,
) -> Markup:
    """Make a table of rows of several groups: (name of the group, row).

    The names are in a first column, called `group`; None: there is one group, and they are left out.
    """
    if group is None:
        return table(caption, columns, (row for _, row in rows))
    return table(caption, [Column(group), *columns], ([name, *row] for name, row in rows))
