"""The table of devices: which columns fit, what stands in each cell, the total. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import pairwise
from math import inf

from rich.cells import cell_len
from rich.text import Text

from monitor.glyphs import GAP, MARGIN, STATE_WORDS, Glyphs, counts, state_word
from monitor.health import is_stale
from monitor.look import Look
from monitor.paging import Page, page_of
from monitor.snapshot import (
    UNKNOWN,
    Row,
    Snapshot,
    Trend,
    device_key,
    device_label,
    has_several_hosts,
    known_mean,
    known_sum,
    percent,
    rate,
    short_name,
)
from monitor.trends import LOOKS_KEPT, sparkline
from virnucpro_bus.metrics import Totals

STATE_STYLES = {"busy": "green", "lost": "bold red", "silent": "bold yellow"}

SORTED = {"utilization": "compute", "queue": "queue"}
"""The column that the rows are sorted by, by Look.sort."""

# The fields of one line of the table by column key: (what is written, its style).
Cells = dict[str, tuple[str, str]]
NO_CELL = ("", "")


class Cut(Enum):
    """What a column does with what is too long for it."""

    NEVER = auto()
    END = auto()
    START = auto()
    OLDEST = auto()
    """The start too, but without a mark: for sparklines, which begin anywhere."""


@dataclass(frozen=True)
class Column:
    """One column of the table. What does not fit is dropped by `rank`, the highest first."""

    key: str
    header: str
    rank: int
    cells: int
    """Least width, so that the table stands still while figures change. Figures get more when they need it."""
    most_cells: int = 0
    """How wide what may be cut grows when there is room."""
    cut: Cut = Cut.NEVER
    left: bool = False


COLUMNS = (
    Column("device", "  DEVICE", 0, 8, 16, Cut.END, left=True),
    Column("host", "HOST", 1, 10, 24, Cut.END, left=True),
    Column("name", "NAME", 9, 10, 24, Cut.END, left=True),
    Column("state", "STATE", 15, 8, 8, Cut.END, left=True),
    Column("compute", "COMPUTE", 3, 7),
    Column("max", "MAX", 16, 4),
    Column("compute_trend", "TREND", 13, 10, LOOKS_KEPT, Cut.OLDEST),
    Column("memory", "MEMORY", 5, 6),
    Column("rate", "SEQ/S", 2, 7),
    Column("rate_trend", "TREND", 14, 10, LOOKS_KEPT, Cut.OLDEST),
    Column("queue", "QUEUE", 4, 5),
    Column("completed", "DONE", 6, 5),
    Column("failed", "FAILED", 7, 6),
    Column("stolen", "STOLEN", 8, 8),
    Column("temperature", "TEMP", 10, 6),
    Column("power", "POWER", 11, 6),
    Column("file", "FILE", 12, 14, 60, Cut.START, left=True),
)


def table(
    snapshot: Snapshot, all_rows: Sequence[Row], width: int, room: int, glyphs: Glyphs, look: Look
) -> tuple[Text, list[Text], Text]:
    """Header, at most `room` lines of devices (the last of them may say which these are), and the total.

    `all_rows` are those that `look` wants, of all pages; only those that are shown are formatted.
    """
    page = page_of(all_rows, room, look.page)
    bodies = [_cells(row, snapshot.trends.get(device_key(row[0]), Trend()), glyphs) for row in page.rows]
    total = _total_cells(all_rows, snapshot.totals if look.devices is None else None)
    hosts = has_several_hosts(snapshot.rows)
    headers = {column.key: (column.header, "bold cyan") for column in COLUMNS}
    if look.sort in SORTED:
        headers[SORTED[look.sort]] = (glyphs.greatest_first + headers[SORTED[look.sort]][0], "bold cyan")
    columns = _fitted(_worth_showing(bodies, hosts), [headers, *bodies, total], width)
    if not any(column.key == "state" for column in columns):
        # Without a column of their own the bad states stand where a figure would mislead.
        for body, (metrics, _) in zip(bodies, page.rows, strict=True):
            if metrics["state"] in STATE_WORDS:
                body["compute"] = body["state"]
    for index, (above, row) in enumerate(pairwise(page.rows), 1):
        if above[0]["host"] == row[0]["host"]:
            bodies[index]["host"] = NO_CELL

    rows = [_row(columns, body, glyphs) for body in bodies]
    if not all_rows and room > 0:
        rows = [Text(f"{MARGIN}  {'no such device' if snapshot.rows else 'waiting for the first device'}", "dim")]
    elif page.in_words and room > 0:
        rows.append(Text(f"{MARGIN}  {page.in_words}{GAP}({_not_shown(page, all_rows, glyphs)} not shown)", "dim"))
    return _row(columns, headers, glyphs), rows, _row(columns, total, glyphs)


def _not_shown(page: Page, all_rows: Sequence[Row], glyphs: Glyphs) -> str:
    states = Counter(metrics["state"] for metrics, _ in all_rows)
    states.subtract(metrics["state"] for metrics, _ in page.rows)
    return counts(+states, glyphs)


def _worth_showing(bodies: Sequence[Cells], several_hosts: bool) -> list[Column]:
    """The columns that tell something: the host only where there are several, a trend only where there is one."""
    empty = {key for key in ("compute_trend", "rate_trend") if all(body[key] == NO_CELL for body in bodies)}
    if not several_hosts:
        empty.add("host")
    return [column for column in COLUMNS if column.key not in empty]


def _fitted(columns: Sequence[Column], lines: Sequence[Cells], width: int) -> list[Column]:
    """The columns that fit, with their widths. Names and paths grow into what is left over."""
    wanted = {
        column.key: max(column.cells, *(cell_len(cells.get(column.key, NO_CELL)[0]) for cells in lines))
        for column in columns
    }
    kept: dict[str, Column] = {}
    left = width - len(MARGIN) + len(GAP)
    for column in sorted(columns, key=lambda column: column.rank):
        cells = wanted[column.key] if column.cut is Cut.NEVER else column.cells
        if kept and left < cells + len(GAP):
            break
        left -= cells + len(GAP)
        kept[column.key] = replace(column, cells=cells)
    for key, column in kept.items():
        if column.cut is not Cut.NEVER:
            grown = max(0, min(wanted[key], column.most_cells, column.cells + left) - column.cells)
            kept[key] = replace(column, cells=column.cells + grown)
            left -= grown
    return [kept[column.key] for column in columns if column.key in kept]


def _row(columns: Sequence[Column], cells: Cells, glyphs: Glyphs) -> Text:
    text = Text()
    for index, column in enumerate(columns):
        content, style = cells.get(column.key, NO_CELL)
        if column.cut is Cut.OLDEST:
            content = content[-column.cells :]
        content = glyphs.shorten(content, column.cells, keep_end=column.cut is Cut.START)
        padding = " " * (column.cells - cell_len(content))
        text.append(GAP if index else MARGIN)
        text.append(
            content + padding if column.left else padding + content, style or ("dim" if content == UNKNOWN else "")
        )
    return text


def _cells(row: Row, trend: Trend, glyphs: Glyphs) -> Cells:
    metrics, utilization = row
    state = metrics["state"]
    state_style = STATE_STYLES.get(state, "dim")
    marks = {"busy": glyphs.busy, "lost": glyphs.lost, "silent": "?", "stopped": glyphs.ended}
    label = glyphs.text(device_label(metrics["device_id"]))
    failed = metrics["files_failed"]
    fastest = max((each for each in trend.throughputs if each is not None), default=0.0)
    return {
        "device": (f"{marks.get(state, glyphs.idle)} {label}", state_style),
        "host": (glyphs.text(metrics["host"]), ""),
        "name": (short_name(glyphs.text(metrics["device_name"])), ""),
        "state": (state_word(state, glyphs), state_style),
        "compute": ("STALE", "yellow")
        if is_stale(utilization)
        else _compute(utilization["compute_percent"], state),
        "max": _figure(utilization["compute_max_percent"], "%"),
        "compute_trend": _trend(trend.compute_percents, 100.0, glyphs),
        "memory": _figure(utilization["memory_percent"], "%", 85.0, 95.0),
        "rate": (rate(metrics["throughput"]), ""),
        "rate_trend": _trend(trend.throughputs, fastest, glyphs),
        "queue": _figure(metrics["queue_depth"], ""),
        "completed": (str(metrics["files_completed"]), ""),
        "failed": (f"!{failed}", "yellow") if failed else ("0", "dim"),
        "stolen": (f"+{metrics['work_stolen_to']} -{metrics['work_stolen_from']}", ""),
        "temperature": _figure(utilization["temperature"], glyphs.degrees, 80.0, 90.0),
        "power": _figure(utilization["power_watts"], "W"),
        "file": (glyphs.text(metrics["current_file"] or ""), "dim"),
    }


def _total_cells(rows: Sequence[Row], totals: Totals | None) -> Cells:
    """Sums of what is known; means for the percentages; nothing where a total has no meaning.

    `totals` are the run's, which know of failures that are no device's; None where `rows` are not the whole run.
    """
    metrics = [row[0] for row in rows]
    utilization = [row[1] for row in rows]
    stolen = sum(row["work_stolen_to"] for row in metrics), sum(row["work_stolen_from"] for row in metrics)
    completed = sum(row["files_completed"] for row in metrics) if totals is None else totals["files_completed"]
    failed = sum(row["files_failed"] for row in metrics) if totals is None else totals["files_failed"]
    cells = {
        "device": "  TOTAL",
        "name": f"{len(metrics)} device{'' if len(metrics) == 1 else 's'}",
        "compute": percent(known_mean(row["compute_percent"] for row in utilization)),
        "memory": percent(known_mean(row["memory_percent"] for row in utilization)),
        "rate": rate(known_sum(row["throughput"] for row in metrics)),
        "queue": _figure(known_sum(row["queue_depth"] for row in metrics), "")[0],
        "completed": str(completed),
        "failed": str(failed),
        "stolen": f"+{stolen[0]} -{stolen[1]}",
        "power": _figure(known_sum(row["power_watts"] for row in utilization), "W")[0],
    }
    return {key: (content, "bold") for key, content in cells.items()}


# Every colour has a mark beside it: "!" where it is yellow, "!!" where it is red.


def _figure(value: float | None, unit: str, warn: float = inf, bad: float = inf) -> tuple[str, str]:
    """A whole number with a mark from `warn` on, and a stronger one from `bad` on."""
    if value is None:
        return UNKNOWN, ""
    if value >= bad:
        return f"!!{value:.0f}{unit}", "bold red"
    return (f"!{value:.0f}{unit}", "yellow") if value >= warn else (f"{value:.0f}{unit}", "")


def _compute(value: float | None, state: str) -> tuple[str, str]:
    """A GPU at work should be busy: little use of it stands out, unless there is nothing to do."""
    if value is None or state != "busy":
        return percent(value), ""
    if value < 10.0:
        return f"!!{percent(value)}", "bold red"
    return (f"!{percent(value)}", "yellow") if value < 30.0 else (percent(value), "")


def _trend(values: Sequence[float | None], top: float, glyphs: Glyphs) -> tuple[str, str]:
    """Nothing where nothing was ever known."""
    return NO_CELL if all(value is None for value in values) else (sparkline(values, top, glyphs), "dim")
