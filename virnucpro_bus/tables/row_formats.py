"""The rows of an export as CSV, for spreadsheets, and as JSON lines, for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from virnucpro_bus.exporters import Document, Exporter, RowOptions
from virnucpro_bus.sources.recording import Recording
from virnucpro_bus.tables.rows import COLUMNS, ExportedFile, rows_of
from virnucpro_bus.text import spreadsheet_safe, visible


def _csv(recordings: Sequence[Recording], options: RowOptions) -> Iterator[Document]:
    yield Document("", csv_lines(rows_of(recordings, options)))


def _json_lines(recordings: Sequence[Recording], options: RowOptions) -> Iterator[Document]:
    yield Document("", (json.dumps(row).encode() + b"\n" for row in rows_of(recordings, options)))


CSV = Exporter("a row a file, for spreadsheets, pandas and DuckDB", _csv, is_table=True)
JSON_LINES = Exporter("a JSON object a file, one in each line", _json_lines, is_table=True)


def csv_lines(rows: Iterable[ExportedFile]) -> Iterator[bytes]:
    """Yield a header and the rows, in UTF-8."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        yield _taken_from(buffer)
        writer.writerow([cell(row[column]) for column in COLUMNS])  # type: ignore[literal-required]
    yield _taken_from(buffer)


def cell(value: Any) -> str:
    """Return a value as a cell of a table that a spreadsheet may open."""
    if isinstance(value, str):
        return spreadsheet_safe(visible(value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)


def _taken_from(buffer: io.StringIO) -> bytes:
    """Return the text in the buffer, and empty it."""
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
