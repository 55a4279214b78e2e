"""The rows of an export of a capture, as the formats get them."""

from __future__ import annotations

from pathlib import Path

from virnucpro_bus.clock import ManualClock
from virnucpro_bus.exporters import RowOptions
from virnucpro_bus.sources.recording import read_recording
from virnucpro_bus.tables.rows import ExportedFile, rows_of


def exported_rows(
    *paths: Path, sort: str = "ended", top: int | None = None, attempts: bool = False
) -> list[ExportedFile]:
    recordings = [read_recording(path, ManualClock()) for path in paths]
    return list(rows_of(recordings, RowOptions(sort, top, attempts)))
