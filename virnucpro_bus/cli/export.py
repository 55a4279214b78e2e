"""The subcommand `export`: a table of what a recorded run has done."""

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
from virnucpro_bus.fold.file_table import ExportedFile, FileTable
from virnucpro_bus.run_folder import capture_path
from virnucpro_bus.system.console import say
from virnucpro_bus.text import spreadsheet_safe, visible

COLUMNS = tuple(ExportedFile.__annotations__)


@click.command(short_help="Write a table of the files of a recorded run.")
@click.argument("capture", type=PathArgument(path_type=Path))
@click.option("--format", "form", default="csv", show_default=True, type=click.Choice(["csv", "jsonl"]),
              help="A table for spreadsheets, or a JSON object a line.")  # fmt: skip
@click.option("-o", "--output", type=PathArgument(dir_okay=False, path_type=Path), metavar="FILE",
              help="A new file; by default it is printed.")  # fmt: skip
def export(capture: Path, form: str, output: Path | None) -> None:
    """Write a row for each completed file in CAPTURE (a run.vbus file, or a run folder).

    With when and where it was done, how long it took, and what the GPU did meanwhile: mean utilization, most
    memory in use, energy. What is unknown is an empty cell, or null. Times are UTC.

    \b
    Examples:
      virnucpro-bus export first-run -o files.csv
      virnucpro-bus export first-run/run.vbus --format jsonl
    """
    path = capture_path(capture)
    if output is not None and output.exists():
        raise UserError(f"{output}: exists already; choose another name, or remove it first")
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
        yield f"{path}: holds no events; the table is empty"
    if files.skipped_bytes:
        yield f"{path}: {files.skipped_bytes} bytes are damaged or cut off; the table lacks what they held"
    if files.refused:
        yield f"{path}: {files.refused.total()} records hold no events; the table lacks what they held"
    if files.unrecorded_frames:
        yield f"{path}: {files.unrecorded_frames} events were not recorded; the table may lack files"


def _csv_lines(rows: Iterable[ExportedFile]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        yield _taken(buffer)
        writer.writerow([_cell(row[column]) for column in COLUMNS])  # type: ignore[literal-required]
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
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
                # Half a table would be taken for a whole one.
                path.unlink()
                raise
    except FileExistsError:
        raise UserError(f"{path}: exists already; choose another name, or remove it first") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
