"""The table of a whole run, predictions.tsv: each frame with its scores and the verdict on its chunk, by file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from virnucpro_bus.errors import UserError
from virnucpro_bus.text import spreadsheet_safe, visible
from workers.jobs.named_job import DoneFile, Merge
from workers.jobs.virnucpro.result_files import (
    CHUNK_COLUMNS,
    CHUNKS_SUFFIX,
    FRAME_COLUMNS,
    FRAMES_SUFFIX,
    chunk_of,
    table_writer,
)

COLUMNS = ("file", *FRAME_COLUMNS, *CHUNK_COLUMNS)


def merge_predictions(files: Sequence[DoneFile], target: BinaryIO) -> None:
    """Write the rows of all files, in their order. Raises UserError for a result that was changed."""
    text = io.TextIOWrapper(target, encoding="utf-8", newline="")
    table = table_writer(text)
    table.writerow(COLUMNS)
    for file, paths in files:
        verdicts = dict(_rows(paths, CHUNKS_SUFFIX, CHUNK_COLUMNS))
        for frame in _rows(paths, FRAMES_SUFFIX, FRAME_COLUMNS):
            chunk = chunk_of(frame[0])
            table.writerow((spreadsheet_safe(file), *frame, chunk, verdicts.get(chunk, "")))
    text.flush()
    text.detach()


def _rows(paths: Sequence[Path], suffix: str, columns: Sequence[str]) -> Iterator[list[str]]:
    """Yield the rows of the result whose name ends in `suffix`."""
    (path,) = (path for path in paths if path.name.endswith(suffix))
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file, dialect="excel-tab")
            if next(rows, None) != list(columns):
                raise UserError(f"{visible(path.name)}: has other columns than the job has written")
            yield from rows
    except OSError as error:
        raise UserError(f"{visible(path.name)}: cannot be read: {error.strerror}") from error


PREDICTIONS = Merge("predictions.tsv", merge_predictions)
