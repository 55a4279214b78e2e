"""The `export` subcommand: writes a table of the completed files of a recorded run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from virnucpro_bus.cli.options import PathArgument
from virnucpro_bus.errors import UserError
from virnucpro_bus.run_folder import capture_path
from virnucpro_bus.sources.file_table import ExportedFile, FileTable
from virnucpro_bus.system.console import say
from virnucpro_bus.text import spreadsheet_safe, visible

COLUMNS = tuple(ExportedFile.__annotations__)


@click.command(short_help="Write a table of the completed files of a recorded run.")
@click.argument("capture", type=PathArgument(path_type=Path))
@click.option("--format", "form", default="csv", show_default=True, type=click.Choice(["csv", "jsonl"]),
              help="csv for spreadsheets; jsonl: one JSON object per line.")  # fmt: skip
@click.option("-o", "--output", type=PathArgument(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write to FILE, which must not exist yet (default: standard output).")  # fmt: skip
def export(capture: Path, form: str, output: Path | None) -> None:
    """Write one row for each completed file in CAPTURE (a run.vbus file or a run folder).

    A row contains when and where the file was processed, how long it took, and the GPU's mean utilization, peak
    memory and energy meanwhile. Unknown values are empty cells in csv and null in jsonl. Times are UTC.

    \b
    Examples:
      virnucpro-bus export first-run -o files.csv
      virnucpro-bus export first-run/run.vbus --format jsonl
    """
    path = capture_path(capture)
    if output is not None and output.exists():
        raise UserError(f"{output}: already exists; choose another name, or remove it first")
    files = FileTable(path)
    for warning in _warnings(path, files):
        say(warning)
    lines = _csv_lines(files.rows()) if form == "csv" else _json_lines(files.rows())
    if output is None:
        for line in lines:
            click.echo(line.encode(), nl=False)  # UTF-8, whatever the terminal's encoding
    else:
        _write(output, lines)


def _warnings(path: Path, files: FileTable) -> Iterator[str]:
    if files.is_empty:
        yield f"{path}: contains no events; the table is empty"
    if files.skipped_bytes:
        yield f"{path}: {files.skipped_bytes} bytes are damaged or cut off; the table lacks their events"
    if files.refused:
        yield f"{path}: {files.refused.total()} records are not events; the table lacks their content"
    if files.unrecorded_frames:
        yield f"{path}: {files.unrecorded_frames} events were not recorded; files may be missing in the table"


def _csv_lines(rows: Iterable[ExportedFile]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        yield _taken_from(buffer)
        writer.writerow([_cell(row[column]) for column in COLUMNS])  # type: ignore[literal-required]
    yield _taken_from(buffer)


def _taken_from(buffer: io.StringIO) -> str:
    """Return the text in the buffer, and empty it."""
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return spreadsheet_safe(visible(value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)


def _json_lines(rows: Iterable[ExportedFile]) -> Iterator[str]:
    return (json.dumps(row) + "\n" for row in rows)


def _write(path: Path, lines: Iterable[str]) -> None:
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            try:
                file.writelines(lines)
                file.flush()
            except BaseException:
                # Half a table would be mistaken for a whole one.
                path.unlink()
                raise
    except FileExistsError:
        raise UserError(f"{path}: already exists; choose another name, or remove it first") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
