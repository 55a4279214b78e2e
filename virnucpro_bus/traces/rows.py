"""What a trace consists of, whatever its format: rows with slices, and counters below them.

Times are nanoseconds since 1970. All texts are safe to print. Slices and counters are made while they are read,
once, so that a long trace needs little memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal[
    "own",
    "stolen",
    "failed",
    "lost",
    "broken off",
    "running",
    "loading",
    "session",
    "unknown",
    "steal",
    "worker lost",
    "notice",
]
"""What a slice shows. The first six are attempts at files, "own" and "stolen" completed ones."""


class Slice(NamedTuple):
    """Something that took time; an instant if it ends when it starts."""

    start_ns: int
    end_ns: int
    kind: Kind
    name: str
    arguments: Mapping[str, str | int | float] = {}
    """What a viewer shows of a selected slice. What is unknown is absent."""
    arrow_from: int | None = None
    """The number of the arrow that starts here."""
    arrow_to: int | None = None
    """The number of the arrow that ends here, later than it starts by a microsecond or more."""


class Counter(NamedTuple):
    """A figure over time."""

    owner: str
    """What it is a figure of, in short, for formats in which it is not below a row."""
    name: str
    unit: str
    values: Iterator[tuple[int, float]]
    """When it changed, and to what; it keeps a value until the next. To be read once."""


@dataclass(frozen=True)
class Row:
    """One row of a trace, on which no slice goes beyond the end of another that it begins in."""

    name: str
    slices: Iterable[Slice] = ()
    """In the order of time, but for instants. To be read once."""
    counters: Sequence[Counter] = ()
    """Its figures."""
    rows: Sequence[Row] = ()
    """The rows that belong to it, in their order."""
