"""The metrics log: one CSV row a device and interval, for spreadsheets, pandas and R.

RFC 4180, times in ISO-8601 UTC, an empty cell where a figure is unknown. The first five columns never change;
others are only ever added after the last.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence

from monitor.snapshot import Row
from virnucpro_bus.clock import Clock, iso_utc
from virnucpro_bus.text import spreadsheet_safe, visible

COLUMNS = (
    *("timestamp", "gpu_id", "sequences_per_sec", "compute_percent", "memory_percent"),
    *("host", "uuid", "device_name", "queue_depth", "files_completed", "files_failed", "sequences"),
    *("work_stolen_from", "work_stolen_to", "temperature", "power_watts", "state", "current_file"),
)
DECIMALS = 3

Value = str | int | float | None


class MetricsLog:
    """Appends to one CSV file. Never raises: what went wrong is in `problem`, and the next interval tries again.

    The file is opened anew each interval, so a folder that comes back or a log that was moved away is noticed.
    For one thread.
    """

    def __init__(self, path: str | os.PathLike[str], clock: Clock) -> None:
        self._path = os.fspath(path)
        self._clock = clock
        self.problem: str | None = None
        """One line about why the last write failed; None when it did not."""

    def write(self, rows: Sequence[Row]) -> None:
        """Append one row a device, in one write; the header comes first in a new or empty file."""
        timestamp = iso_utc(self._clock.wall_ns())
        lines = _csv([_cells(timestamp, row) for row in rows])
        try:
            self._append(lines)
        except (OSError, ValueError) as error:  # ValueError: a path that holds a NUL
            reason = getattr(error, "strerror", None) or error
            self.problem = f"metrics log {visible(self._path)}: {reason}; will try again"
        else:
            self.problem = None

    def _append(self, lines: bytes) -> None:
        """Raises OSError when not everything could be written; the file is then left as it was before."""
        file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            size = os.fstat(file).st_size
            if size == 0:
                lines = _csv([COLUMNS]) + lines
            elif os.pread(file, 1, size - 1) != b"\n":
                # Somebody was cut off in the middle of a row: that row stays alone on its line.
                lines = b"\r\n" + lines
            written = 0
            try:
                while written < len(lines):
                    written += os.write(file, lines[written:])
            except OSError:
                if written and os.fstat(file).st_size == size + written:
                    os.ftruncate(file, size)
                raise
        finally:
            os.close(file)


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
    )
    return [_cell(value) for value in values]


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return spreadsheet_safe(visible(value))
    return str(round(value, DECIMALS))


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
