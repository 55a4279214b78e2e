"""Runs as a table of plain text, for a terminal and for a pipe. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.runs.row import RunRow
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.text import visible
from virnucpro_bus.units import UNKNOWN, duration

GAP = "  "
_LEFT = {"STATE", "HOST", "FOLDER"}
"""Columns of text; figures are aligned to the right."""


def table_of(rows: Sequence[RunRow], now_ns: int, this_host: str) -> list[str]:
    """Return a header and a line for each run, at that wall-clock time; nothing without runs.

    HOST only if one is of another machine. The folder comes last and is never cut, so that it can be copied.
    """
    if not rows:
        return []
    cells = [_cells(row, now_ns) for row in rows]
    if all(row["host"] in (None, this_host) for row in rows):
        for line in cells:
            del line["HOST"]
    columns = list(cells[0])
    lines = [dict(zip(columns, columns, strict=True)), *cells]
    widths = {column: max(len(line[column]) for line in lines) for column in columns}
    return [GAP.join(_aligned(line[column], column, widths) for column in columns).rstrip() for line in lines]


def _aligned(cell: str, column: str, widths: dict[str, int]) -> str:
    return cell.ljust(widths[column]) if column in _LEFT else cell.rjust(widths[column])


def _cells(row: RunRow, now_ns: int) -> dict[str, str]:
    return {
        "STATE": _state(row),
        "FILES": _files(row),
        "FAILED": _count(row["files_failed"]),
        "DEVICES": _count(row["devices"]),
        "STARTED": _ago(row["started"], now_ns),
        "ELAPSED": duration(row["elapsed_seconds"]),
        "HOST": visible(row["host"] or UNKNOWN),
        "FOLDER": visible(row["folder"]),
    }


def _state(row: RunRow) -> str:
    """Its state; of a run that has left files pending without a signal what the dashboard calls it, too."""
    done, failed, total = row["files_completed"], row["files_failed"], row["files_total"]
    if row["state"] == "finished" and done is not None and total is not None and done + (failed or 0) < total:
        return "ended early"
    return row["state"] or UNKNOWN


def _files(row: RunRow) -> str:
    """How many files are done, of how many."""
    done, total = row["files_completed"], row["files_total"]
    return UNKNOWN if done is None else f"{done} of {_count(total)}"


def _count(number: int | None) -> str:
    return UNKNOWN if number is None else str(number)


def _ago(started: float | None, now_ns: int) -> str:
    """How long ago it started; unknown where the clock was set back meanwhile."""
    seconds = None if started is None else now_ns / NANOSECONDS - started
    return UNKNOWN if seconds is None or seconds < 0 else f"{duration(seconds)} ago"
