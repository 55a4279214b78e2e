"""The table of devices: which columns fit, what stands in each cell, the total. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf

from rich.cells import cell_len
from rich.text import Text

from monitor.glyphs import GAP, MARGIN, STATE_WORDS, Glyphs, counts, state_word
from monitor.snapshot import (
    UNKNOWN,
    Row,
    Snapshot,
    device_label,
    has_several_hosts,
    known_mean,
    known_sum,
    page,
    percent,
    rate,
    short_name,
)

METER_CELLS = 6
STATE_STYLES = {"busy": "green", "lost": "bold red", "silent": "bold yellow"}

# The fields of one line of the table by column key: (what is written, its style).
Cells = dict[str, tuple[str, str]]
NO_CELL = ("", "")


@dataclass(frozen=True)
class Column:
    """One column of the table. What does not fit is dropped by `rank`, the highest first."""

    key: str
    header: str
    rank: int
    cells: int
    """Least width, so that the table stands still while figures change. Figures get more when they need it."""
    most_cells: int | None = None
    """For names and paths, which may be cut: how wide they grow when there is room. None: never cut."""
    left: bool = False
    keep_end: bool = False


COLUMNS = (
    Column("device", "  DEVICE", 0, 8, 16, left=True),
    Column("host", "HOST", 1, 10, 24, left=True),
    Column("name", "NAME", 9, 10, 24, left=True),
    Column("state", "STATE", 14, 8, 8, left=True),
    Column("compute", "COMPUTE", 3, 7),
    Column("meter", "", 13, METER_CELLS, left=True),
    Column("memory", "MEMORY", 5, 6),
    Column("rate", "SEQ/S", 2, 7),
    Column("queue", "QUEUE", 4, 5),
    Column("completed", "DONE", 6, 5),
    Column("failed", "FAILED", 7, 6),
    Column("stolen", "STOLEN", 8, 8),
    Column("temperature", "TEMP", 10, 5),
    Column("power", "POWER", 11, 6),
    Column("file", "FILE", 12, 14, 60, left=True, keep_end=True),
)


def table(snapshot: Snapshot, width: int, room: int, glyphs: Glyphs) -> tuple[Text, list[Text], Text]:
    """Header, at most `room` lines of devices (the last of them may say what is left out), and the total."""
    states = [metrics["state"] for metrics, _ in snapshot.rows]
    shown = page(states, room)
    bodies = [_cells(row, glyphs) for row in snapshot.rows]
    total = _total_cells(snapshot)
    hosts = has_several_hosts(snapshot.rows)
    columns = _fitted([column for column in COLUMNS if hosts or column.key != "host"], [*bodies, total], width)
    if not any(column.key == "state" for column in columns):
        # Without a column of their own the bad states stand where a figure would mislead.
        for body, state in zip(bodies, states, strict=True):
            if state in STATE_WORDS:
                body["compute"], body["meter"] = body["state"], NO_CELL

    header = _row(columns, {column.key: (column.header, "bold cyan") for column in columns}, glyphs)
    for above, index in pairwise(shown):
        if snapshot.rows[above][0]["host"] == snapshot.rows[index][0]["host"]:
            bodies[index]["host"] = NO_CELL
    rows = [_row(columns, bodies[index], glyphs) for index in shown]
    hidden = [row for index, row in enumerate(snapshot.rows) if index not in shown]
    if not states and room > 0:
        rows = [Text(f"{MARGIN}  waiting for the first device", "dim")]
    elif hidden and room > 0:
        rows.append(Text(f"{MARGIN}  {_hidden_in_words(hidden, glyphs)}", "dim"))
    return header, rows, _row(columns, total, glyphs)


def _hidden_in_words(hidden: Sequence[Row], glyphs: Glyphs) -> str:
    states = counts(Counter(metrics["state"] for metrics, _ in hidden), glyphs)
    known = [row["compute_percent"] for _, row in hidden if row["compute_percent"] is not None]
    compute = f"{GAP}compute {percent(min(known))} to {percent(max(known))}" if known else ""
    return f"... {len(hidden)} more: {states}{compute}"


def _fitted(columns: Sequence[Column], lines: Sequence[Cells], width: int) -> list[Column]:
    """The columns that fit, with their widths. Names and paths grow into what is left over."""
    wanted = {
        column.key: max(column.cells, *(cell_len(cells.get(column.key, NO_CELL)[0]) for cells in lines))
        for column in columns
    }
    kept: dict[str, Column] = {}
    left = width - len(MARGIN) + len(GAP)
    for column in sorted(columns, key=lambda column: column.rank):
        cells = wanted[column.key] if column.most_cells is None else column.cells
        if kept and left < cells + len(GAP):
            break
        left -= cells + len(GAP)
        kept[column.key] = replace(column, cells=cells)
    for key, column in kept.items():
        if column.most_cells is not None:
            grown = max(0, min(wanted[key], column.most_cells, column.cells + left) - column.cells)
            kept[key] = replace(column, cells=column.cells + grown)
            left -= grown
    return [kept[column.key] for column in columns if column.key in kept]


def _row(columns: Sequence[Column], cells: Cells, glyphs: Glyphs) -> Text:
    text = Text()
    for index, column in enumerate(columns):
        content, style = cells.get(column.key, NO_CELL)
        content = glyphs.shorten(content, column.cells, keep_end=column.keep_end)
        padding = " " * (column.cells - cell_len(content))
        text.append(GAP if index else MARGIN)
        text.append(
            content + padding if column.left else padding + content, style or ("dim" if content == UNKNOWN else "")
        )
    return text


def _cells(row: Row, glyphs: Glyphs) -> Cells:
    metrics, utilization = row
    state = metrics["state"]
    state_style = STATE_STYLES.get(state, "dim")
    marks = {"busy": glyphs.busy, "lost": glyphs.lost, "silent": "?", "stopped": glyphs.ended}
    label = glyphs.text(device_label(metrics["device_id"]))
    compute = utilization["compute_percent"]
    style = _compute_style(compute, state)
    return {
        "device": (f"{marks.get(state, glyphs.idle)} {label}", state_style),
        "host": (glyphs.text(metrics["host"]), ""),
        "name": (short_name(glyphs.text(metrics["device_name"])), ""),
        "state": (state_word(state, glyphs), state_style),
        "compute": (percent(compute), style),
        "meter": ("" if compute is None else "".join(glyphs.bar(compute / 100, METER_CELLS)), style),
        "memory": _figure(utilization["memory_percent"], "%", 85.0, 95.0),
        "rate": (rate(metrics["throughput"]), ""),
        "queue": _figure(metrics["queue_depth"], ""),
        "completed": (str(metrics["files_completed"]), ""),
        "failed": (str(metrics["files_failed"]), "bold red" if metrics["files_failed"] else "dim"),
        "stolen": (f"+{metrics['work_stolen_to']} -{metrics['work_stolen_from']}", ""),
        "temperature": _figure(utilization["temperature"], glyphs.degrees, 80.0, 90.0),
        "power": _figure(utilization["power_watts"], "W"),
        "file": (glyphs.text(metrics["current_file"] or ""), "dim"),
    }


def _total_cells(snapshot: Snapshot) -> Cells:
    """Sums of what is known; means for the percentages; nothing where a total has no meaning."""
    metrics = [row[0] for row in snapshot.rows]
    utilization = [row[1] for row in snapshot.rows]
    stolen = sum(row["work_stolen_to"] for row in metrics), sum(row["work_stolen_from"] for row in metrics)
    cells = {
        "device": "  TOTAL",
        "name": f"{len(metrics)} device{'' if len(metrics) == 1 else 's'}",
        "compute": percent(known_mean(row["compute_percent"] for row in utilization)),
        "memory": percent(known_mean(row["memory_percent"] for row in utilization)),
        "rate": rate(snapshot.throughput),
        "queue": _figure(known_sum(row["queue_depth"] for row in metrics), "")[0],
        "completed": str(snapshot.totals["files_completed"]),
        "failed": str(snapshot.totals["files_failed"]),
        "stolen": f"+{stolen[0]} -{stolen[1]}",
        "power": _figure(known_sum(row["power_watts"] for row in utilization), "W")[0],
    }
    return {key: (content, "bold") for key, content in cells.items()}


def _figure(value: float | None, unit: str, warn: float = inf, bad: float = inf) -> tuple[str, str]:
    """A whole number that becomes yellow from `warn` on, and red with a mark from `bad` on."""
    if value is None:
        return UNKNOWN, ""
    if value >= bad:
        return f"!{value:.0f}{unit}", "bold red"
    return f"{value:.0f}{unit}", "yellow" if value >= warn else ""


def _compute_style(compute: float | None, state: str) -> str:
    """A GPU at work should be busy: little use of it stands out, unless there is nothing to do."""
    if compute is None or (compute < 30.0 and state != "busy"):
        return "dim"
    return "green" if compute >= 70.0 else "yellow" if compute >= 30.0 else "red"
