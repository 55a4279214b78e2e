"""The screen of files: those in progress, those that failed, and the slowest of the last ones. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from monitor.model.selection import ViewOptions
from monitor.model.view_model import ViewModel
from monitor.screens.columns import Line, aligned, heading
from monitor.view.formatting import percent, plain_count
from monitor.view.glyphs import GAP, Glyphs
from virnucpro_bus.device_keys import device_title
from virnucpro_bus.health.rows import qualified_label, qualifiers
from virnucpro_bus.metrics import FileRecord
from virnucpro_bus.units import UNKNOWN, duration

SLOWEST_SHOWN = 20


def file_lines(model: ViewModel, width: int, room: int, glyphs: Glyphs, options: ViewOptions) -> list[Text]:
    """Return the files in three groups."""
    needed = qualifiers(model.rows)
    works = [(metrics, file) for metrics, _ in model.rows if (file := metrics["current_file"])]
    running: list[Line] = [
        (glyphs.text(qualified_label(work, needed)), percent(work["current_file_percent"]), glyphs.text(file))
        for work, file in works
    ]
    failed: list[Line] = [(glyphs.text(file), glyphs.text(reason)) for file, reason in model.failures.items()]
    slowest = sorted(model.files, key=lambda record: -record["duration_seconds"])[:SLOWEST_SHOWN]
    return [
        heading(f"IN PROGRESS{GAP}{len(running)}"),
        *aligned(running, ("DEVICE", "DONE", "FILE"), width, glyphs),
        Text(),
        heading(f"FAILED{GAP}{len(failed)}"),
        *aligned(failed, ("FILE", "REASON"), width, glyphs),
        Text(),
        heading("SLOWEST", f"of the last {len(model.files)} done"),
        *aligned(*records_table(slowest, glyphs), width, glyphs),
    ]


def records_table(
    records: Sequence[FileRecord], glyphs: Glyphs, *, of_one_device: bool = False
) -> tuple[list[Line], Line]:
    """Return completed files as lines of a table, and its headers; without their device if it is the same."""
    lines: list[Line] = [
        (
            duration(record["duration_seconds"]),
            plain_count(record["sequences"]),
            percent(record["compute_percent"]),
            UNKNOWN if of_one_device else glyphs.text(device_title(record["device_id"])),
            glyphs.text(record["file"]) or UNKNOWN,
        )
        for record in records
    ]
    return lines, ("TIME", "SEQUENCES", "COMPUTE", "DEVICE", "FILE")
