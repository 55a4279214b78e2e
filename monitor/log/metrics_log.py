"""The metrics log: one CSV row per device and interval, for spreadsheets, pandas and R.

RFC 4180, times in ISO-8601 UTC, an empty cell for an unknown figure. The first five columns never change; new ones
are only added after the last. docs/metrics-log.md describes each.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence

from monitor.log.rotating_file import RotatingFile
from virnucpro_bus.clock import Clock, iso_utc
from virnucpro_bus.errors import UserError
from virnucpro_bus.health.problems import Problem
from virnucpro_bus.health.rows import Row, run_of
from virnucpro_bus.metrics_log_format import FIRST_COLUMNS, SIGNATURE
from virnucpro_bus.text import spreadsheet_safe, visible

COLUMNS = (
    *FIRST_COLUMNS,
    *("host", "uuid", "device_name", "queue_depth", "files_completed", "files_failed", "sequences"),
    *("work_stolen_from", "work_stolen_to", "temperature", "power_watts", "state", "current_file"),
    *("compute_max_percent", "energy_joules", "sample_age_seconds", "run", "simulated", "loading_seconds"),
    *("cpu_percent", "resident_bytes", "read_bytes_per_second"),
)
DECIMALS = 3
"""How many decimals a figure has."""

Value = str | bool | int | float | None


class MetricsLog:
    """A CSV file of rows, one per device and interval. Never raises: what is wrong is in `problem`. One thread.

    After a failure the next `write` tries again. `RotatingFile` handles what happens to the file meanwhile.
    """

    def __init__(self, path: str | os.PathLike[str], clock: Clock, rotate_bytes: int | None = None) -> None:
        """A log that would become longer than `rotate_bytes` is moved aside to PATH.1; None: never."""
        self._path = os.fspath(path)
        self._clock = clock
        self._file = RotatingFile(self._path, _csv([COLUMNS]), SIGNATURE, rotate_bytes)
        self.problem: Problem | None = None
        """The problem with the log; None when there is none."""

    def write(self, rows: Sequence[Row]) -> None:
        """Append one row per device, in one write; a new or empty file gets the header first."""
        timestamp = iso_utc(self._clock.wall_ns())
        lines = _csv([_cells(timestamp, row) for row in rows])
        try:
            reason = self._file.append(lines)
        except UserError as error:
            reason = str(error)
        except OSError as error:
            reason = f"{error.strerror or error}; will try again"
        except ValueError as error:  # a path that contains a NUL
            reason = f"{error}; will try again"
        text, brief = f"metrics log {visible(self._path)}: {reason}", f"metrics log: {reason}"
        self.problem = None if reason is None else Problem(text, brief=brief)


def _cells(timestamp: str, row: Row) -> list[str]:
    metrics, utilization = row
    values: tuple[Value, ...] = (
        timestamp,
        metrics["device_id"],
        metrics["throughput"],
        utilization["compute_percent"],
        utilization["memory_percent"],
        metrics["host"],
        metrics["uuid"],
        metrics["device_name"],
        metrics["queue_depth"],
        metrics["files_completed"],
        metrics["files_failed"],
        metrics["sequences"],
        metrics["work_stolen_from"],
        metrics["work_stolen_to"],
        utilization["temperature"],
        utilization["power_watts"],
        metrics["state"],
        metrics["current_file"],
        utilization["compute_max_percent"],
        utilization["energy_joules"],
        utilization["sample_age_seconds"],
        run_of(metrics),
        # Of a real GPU unknown until there is a sample of it.
        utilization["simulated"] or (None if utilization["sample_age_seconds"] is None else False),
        metrics["loading_seconds"],
        metrics["cpu_percent"],
        metrics["resident_bytes"],
        metrics["read_bytes_per_second"],
    )
    return [_cell(value) for value in values]


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if type(value) is int:
        return str(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return spreadsheet_safe(visible(value))
    return str(round(value, DECIMALS))


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
