"""The screen of one device: its figures, its last files and steals, and the end of its log. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

from rich.cells import cell_len
from rich.text import Text

from monitor.model.paging import rows_in_view
from monitor.model.selection import ViewOptions
from monitor.model.view_model import Trend, ViewModel, device_key
from monitor.screens.columns import NONE, Line, aligned, heading, last, pairs, shares, wrapped
from monitor.screens.files import records_table
from monitor.screens.logs import NO_LOG
from monitor.view.formatting import (
    bytes_per_second,
    bytes_text,
    loading_time,
    memory_used,
    percent,
    plain_count,
    rate,
    short_name,
)
from monitor.view.glyphs import GAP, MARGIN, Glyphs
from virnucpro_bus.clock import NANOSECONDS, local_time_of_day
from virnucpro_bus.health.rows import DeviceWork, Row, device_label, qualified_label, qualifiers
from virnucpro_bus.units import UNKNOWN, duration


def device_lines(model: ViewModel, width: int, room: int, glyphs: Glyphs, options: ViewOptions) -> list[Text]:
    """Return the parts of the screen of the chosen device, which share the room."""
    row = next((row for row in rows_in_view(model.rows, options) if device_key(row[0]) == options.chosen), None)
    if row is None:
        return [heading("DEVICE"), Text(f"{MARGIN}{GAP}it is no longer there", "dim")]
    metrics, _ = row
    label = glyphs.text(qualified_label(metrics, qualifiers(model.rows)))
    name, key = short_name(glyphs.text(metrics["device_name"])), glyphs.text(metrics["key"] or "")
    words = dict.fromkeys([label, name, glyphs.state(metrics["state"]), key])  # a CPU worker's label is its key
    records = [
        record
        for record in reversed(model.files)
        if (record["host"], record["device"]) == (metrics["host"], metrics["key"])
    ]
    above = [
        heading(GAP.join(word for word in words if word)),
        *_file(row, width, glyphs),
        *pairs(_figures(row, glyphs), width),
        *_trends(model.trends.get(device_key(metrics), Trend()), width, glyphs),
    ]
    steals = _steals(model, row, glyphs)
    logs = [wrapped(log.lines, width, glyphs) for log in model.logs]
    wanted = [len(records), len(steals), *map(len, logs)]
    fixed = len(above) + len(wanted) + bool(records) + (not model.logs)
    has_gaps = fixed + 1 + 3 * len(wanted) <= room
    most_files, most_steals, *most_of_logs = shares(wanted, room - fixed - has_gaps * (1 + len(wanted)))
    parts = [
        _part(
            "LAST FILES", aligned(*records_table(records[:most_files], glyphs, of_one_device=True), width, glyphs)
        ),
        _part("LAST STEALS", aligned(steals[:most_steals], None, width, glyphs)),
        *(
            [heading(f"LOG{GAP}{glyphs.text(log.name)}"), *last(lines, most)]
            for log, lines, most in zip(model.logs, logs, most_of_logs, strict=True)
        ),
        *([] if model.logs else [[heading("LOG", NO_LOG)]]),
    ]
    return [*above, *(line for part in parts for line in ([Text()] * has_gaps + part))]


def _part(title: str, lines: Sequence[Text]) -> list[Text]:
    return [heading(title, "" if lines else NONE), *lines]


def _file(row: Row, width: int, glyphs: Glyphs) -> list[Text]:
    """The file in progress, and how much of it is done where that is known; no line without one."""
    metrics, _ = row
    file, done = metrics["current_file"], metrics["current_file_percent"]
    if not file:
        return []
    lead, share = f"{MARGIN}{GAP}file{GAP}", "" if done is None else f" {floor(done)}%"  # 100 % only when it is
    room = max(1, width - len(lead) - len(share))
    return [Text(lead, "dim").append(glyphs.shorten(glyphs.text(file), room, keep_end=True) + share, "bold")]


def _figures(row: Row, glyphs: Glyphs) -> list[tuple[str, str]]:
    """All figures of a device, with what they are called in the table."""
    metrics, gpu = row
    celsius, watts, joules = gpu["temperature"], gpu["power_watts"], gpu["energy_joules"]
    gained, lost = metrics["work_stolen_to"], metrics["work_stolen_from"]
    return [
        ("loading for", loading_time(metrics) or UNKNOWN),
        ("seq/s", rate(metrics["throughput"])),
        ("sequences", plain_count(metrics["sequences"])),
        ("queue", plain_count(metrics["queue_depth"])),
        ("done", plain_count(metrics["files_completed"])),
        ("failed", plain_count(metrics["files_failed"])),
        ("steals", UNKNOWN if gained is None or lost is None else f"+{gained} -{lost}"),
        ("last done", _last_done(metrics)),
        ("compute", percent(gpu["compute_percent"])),
        ("max", percent(gpu["compute_max_percent"])),
        ("memory", percent(gpu["memory_percent"])),
        ("used", memory_used(gpu["memory_used_bytes"], gpu["memory_total_bytes"])),
        ("temp", UNKNOWN if celsius is None else f"{celsius:.0f}{glyphs.degrees}"),
        ("power", UNKNOWN if watts is None else f"{watts:.0f}W"),
        ("energy", UNKNOWN if joules is None else f"{joules:,.0f} J"),
        ("cpu", percent(metrics["cpu_percent"])),
        ("rss", bytes_text(metrics["resident_bytes"])),
        ("read", bytes_per_second(metrics["read_bytes_per_second"])),
    ]


def _last_done(metrics: DeviceWork) -> str:
    """How long ago it has completed or failed a file; before the first, the time counts from the start instead."""
    seconds = metrics["seconds_since_done"]
    has_done = metrics["files_completed"] or metrics["files_failed"]
    return UNKNOWN if seconds is None or not has_done else f"{duration(floor(seconds))} ago"


def _trends(trend: Trend, width: int, glyphs: Glyphs) -> list[Text]:
    """The load and the rate of the last minute as sparklines, if known, beside each other where they fit."""
    fastest = max((value for value in trend.throughputs if value is not None), default=0.0)
    lines: list[Text] = []
    for name, values, top in (("load", trend.compute_percents, 100.0), ("rate", trend.throughputs, fastest)):
        if sum(value is not None for value in values) > 1:
            text = (
                Text(f"{MARGIN}{GAP}").append(f"{name}{GAP}", "dim").append(glyphs.sparkline(values, top), "green")
            )
            if lines and 2 * cell_len(text.plain) <= width:
                lines[-1].append(text)
            else:
                lines.append(text)
    return lines


def _steals(model: ViewModel, row: Row, glyphs: Glyphs) -> list[Line]:
    """The last steals of the device, newest first: from whom, or by whom."""
    metrics, _ = row
    lines: list[Line] = []
    for steal in reversed(model.steals):
        if steal["host"] == metrics["host"] and metrics["device_id"] in (steal["dest_gpu"], steal["source_gpu"]):
            is_thief = steal["dest_gpu"] == metrics["device_id"]
            other = steal["source_gpu"] if is_thief else steal["dest_gpu"]
            at = steal["timestamp"]
            time = UNKNOWN if at is None else local_time_of_day(round(at * NANOSECONDS))
            words = "took from" if is_thief else "lost to"
            lines.append((time, words, glyphs.text(device_label(other)), glyphs.text(steal["file_name"])))
    return lines
