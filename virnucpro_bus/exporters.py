"""What an export format is. Formats are found by entry point, so other packages can add some.

An entry point of the group names an `Exporter`; its name is what `export --format` takes. Its module is imported
when it is chosen, and for the list of formats: libraries that take long to import belong into its functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from virnucpro_bus.plugins import Plugins

if TYPE_CHECKING:
    from virnucpro_bus.sources.recording import Recording


class Document(NamedTuple):
    """One file of an export."""

    name: str
    """The name of the file in the folder that is written; "" for a format that writes one file."""
    content: Iterable[bytes]
    """Its pieces. Texts of events in it are made safe by `text.visible` and escaped as the format asks."""


@dataclass(frozen=True)
class RowOptions:
    """Which rows of a table are written, and in which order; `tables/rows.py` follows them."""

    sort: str = "ended"
    """The name of a column of the export (docs/export.md), after "-" for the descending order."""
    top: int | None = None
    """Only so many of the first rows; None: all."""
    attempts: bool = False
    """Whether attempts that did not complete their file have rows too."""


@dataclass(frozen=True)
class Exporter:
    """A format that recorded runs can be written in."""

    summary: str
    """What it is for, in a few words, for `--help`."""
    export: Callable[[Sequence[Recording], RowOptions], Iterable[Document]]
    """Makes the documents of one or more runs. Raises UserError where the format cannot hold them."""
    is_table: bool = False
    """Whether RowOptions apply to it."""
    makes_folder: bool = False
    """Whether it writes several files into a folder; otherwise it makes one document."""
    is_binary: bool = False
    """Whether a terminal cannot show it."""


FORMATS = Plugins("virnucpro_bus.exporters", Exporter, "--format")
