"""The names by which users choose what a dashboard shows: a run passes the choice on to its monitor."""

from __future__ import annotations

COLUMN_NAMES = (
    *("device", "host", "run", "name", "state", "compute", "max", "load", "memory", "used", "cpu", "rss", "read"),
    *("seq/s", "rate", "queue", "done", "fail", "steals", "temp", "power", "file"),
)
"""The columns of the table, in their order."""
SORTS = ("device", "utilization", "queue")
"""The orders of the devices: by name, by greatest utilization, by longest queue."""
