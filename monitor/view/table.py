"""The device table of a frame: the rows of a page, their cells, and the total. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import floor, inf

from rich.cells import cell_len
from rich.text import Text

from monitor.model.answers import whole_sum
from monitor.model.paging import Page, page_of
from monitor.model.selection import ViewOptions
from monitor.model.view_model import Trend, ViewModel, device_key, each_gpu_once, known_sum
from monitor.view.bars import add_bars
from monitor.view.columns import (
    NO_CELL,
    Cells,
    Column,
    chosen_columns,
    fit_columns,
    header_line,
    line_of,
)
from monitor.view.formatting import (
    bytes_per_second,
    bytes_text,
    count_devices,
    known_mean,
    loading_time,
    memory_used,
    model_labels,
    percent,
    plain_count,
    rate,
    short_name,
)
from monitor.view.glyphs import GAP, MARGIN, STALLED, STATE_WORDS, Glyphs
from monitor.view.useful_columns import useful_columns
from virnucpro_bus.health.problems import HOT_CELSIUS, is_stalled, is_warming_up
from virnucpro_bus.health.rows import Row, RunTotals, device_label, run_of
from virnucpro_bus.metrics import is_stale
from virnucpro_bus.units import UNKNOWN

ALARM = "bold red"
STATE_STYLES = {"busy": "green", "loading": "cyan", "lost": ALARM, "silent": "bold yellow"}
NOTABLE_MEMORY_PERCENT, HIGH_MEMORY_PERCENT = 85.0, 95.0
NOTABLE_CELSIUS = 80.0
LOW_COMPUTE_PERCENT, NOTABLE_COMPUTE_PERCENT = 10.0, 30.0
"""Below these a busy GPU is marked."""
LEAST_NAME_CELLS = 14
"""A file name that is longer is not cut below this to make room for how much of the file is done."""

SORT_COLUMNS = {"utilization": ("compute", "cpu"), "queue": ("queue",)}
"""The column that rows are sorted by, or what stands in its place, by ViewOptions.sort."""


def table(
    model: ViewModel,
    all_rows: Sequence[Row],
    width: int,
    room: int,
    glyphs: Glyphs,
    options: ViewOptions,
    keys: str = "",
) -> tuple[Text, list[Text], Text]:
    """Return the header, at most `room` lines of devices (the last may be the page's label), and the total.

    `all_rows` are those that `options` selects, of all pages; only those of its page are formatted. `keys` lists
    the keys that work, beside the page's label, if there is room.
    """
    page = page_of(all_rows, room, options.page, options.chosen)
    bodies = [_cells(row, model, glyphs) for row in page.rows]
    total = _total_cells(all_rows, model.totals if options.devices is None else None)
    labels = model_labels(glyphs.text(metrics["device_name"]) for metrics, _ in model.rows)
    if options.columns is None:
        offered = useful_columns(all_rows, bodies, model, labels)
    else:
        offered = chosen_columns(options.columns)
    columns = fit_columns(offered, [*bodies, total], width)
    shown = {column.key for column in columns}
    _shorten_names(columns, page.rows, bodies, total, labels, glyphs)
    _add_progress(columns, page.rows, bodies, glyphs)
    add_bars(columns, page.rows, bodies, glyphs)
    in_place_of_state = "compute" if "compute" in shown else "rate"
    for body, (metrics, _) in zip(bodies, page.rows, strict=True):
        # Without a STATE column the bad states replace a figure that would mislead.
        if metrics["state"] not in STATE_WORDS:
            if any(style == ALARM for key, (_, style) in body.items() if key not in shown):
                body["device"] = _marked(body["device"])
        elif "state" not in shown:
            body[in_place_of_state] = body["state"]
        if metrics["state"] == "loading" and "state" not in shown:
            # What a device without a rate needs to be told from one that idles; each fits into its column.
            body["rate"] = (loading_time(metrics) or UNKNOWN, "")
            body[in_place_of_state] = ("loading", STATE_STYLES["loading"])
    for index, (above, row) in enumerate(pairwise(page.rows), 1):
        if above[0]["host"] == row[0]["host"]:
            bodies[index]["host"] = NO_CELL

    rows = [line_of(columns, body, glyphs) for body in bodies]
    for line, (metrics, _) in zip(rows, page.rows, strict=True):
        if device_key(metrics) == options.chosen:
            line.plain = f"{glyphs.chosen}{line.plain[1:]}"
            line.stylize("reverse")
    if not all_rows and room > 0:
        text = "no device matches" if model.rows else "waiting for the first device"
        rows = [Text(f"{MARGIN}  {text}", "dim")]
    elif page.label and room > 0:
        parts = [
            page.label,
            *(keys.split(GAP) if keys else []),
            f"({_not_shown(page, all_rows, glyphs)} not shown)",
        ]
        lead = MARGIN + "  "
        rows.append(Text(lead + glyphs.join_fitting(parts, width - len(lead)), "dim"))
    sorted_by = next((key for key in SORT_COLUMNS.get(options.sort, ()) if key in shown), None)
    return header_line(columns, sorted_by, glyphs), rows, line_of(columns, total, glyphs)


def _not_shown(page: Page, all_rows: Sequence[Row], glyphs: Glyphs) -> str:
    states = Counter(metrics["state"] for metrics, _ in all_rows)
    states.subtract(metrics["state"] for metrics, _ in page.rows)
    return glyphs.state_counts(+states)


def _shorten_names(
    columns: Sequence[Column],
    rows: Sequence[Row],
    bodies: Sequence[Cells],
    total: Cells,
    labels: Mapping[str, str],
    glyphs: Glyphs,
) -> None:
    """Write the labels of the models instead of their names if not all names fit."""
    room = next((column.cells for column in columns if column.key == "name"), 0)
    if all(cell_len(body["name"][0]) <= room for body in (*bodies, total)):
        return
    total["name"] = NO_CELL
    for body, (metrics, _) in zip(bodies, rows, strict=True):
        body["name"] = (labels[glyphs.text(metrics["device_name"])], "")


def _add_progress(columns: Sequence[Column], rows: Sequence[Row], bodies: Sequence[Cells], glyphs: Glyphs) -> None:
    """Write after a file's name how much of the file is done, where there is room for both."""
    room = next((column.cells for column in columns if column.key == "file"), 0)
    for body, (metrics, _) in zip(bodies, rows, strict=True):
        (name, style), done = body["file"], metrics["current_file_percent"]
        if not name or done is None:
            continue
        share = f" {floor(done)}%"  # 100 % only when it is
        left = room - len(share)
        if left >= min(cell_len(name), LEAST_NAME_CELLS):
            body["file"] = glyphs.shorten(name, left, keep_end=True) + share, style


def _marked(device: tuple[str, str]) -> tuple[str, str]:
    """The device's label with a warning mark in place of the mark of its state."""
    return f"!{device[0][1:]}", "yellow"


def _cells(row: Row, model: ViewModel, glyphs: Glyphs) -> Cells:
    metrics, utilization = row
    trend = model.trends.get(device_key(metrics), Trend())
    state = metrics["state"]
    state_style = STATE_STYLES.get(state or "", "dim")
    marks = {"busy": glyphs.busy, "lost": glyphs.lost, "silent": "?", "stopped": glyphs.ended}
    label = glyphs.text(device_label(metrics["device_id"]))
    failed = metrics["files_failed"]
    fastest = max((each for each in trend.throughputs if each is not None), default=0.0)
    device, word = (f"{marks.get(state or '', glyphs.idle)} {label}", state_style), glyphs.state(state)
    if (time := loading_time(metrics)) is not None:
        word = f"{word} {time}"
    is_at_work = state == "busy" and not is_warming_up(metrics, model.elapsed_seconds, model.load_seconds)
    if is_stalled(metrics):
        device, word, state_style = _marked(device), STALLED, "yellow"
    return {
        "device": device,
        "host": (glyphs.text(metrics["host"]), ""),
        "run": (glyphs.text(run_of(metrics)), ""),
        "name": (short_name(glyphs.text(metrics["device_name"])), ""),
        "state": (word, state_style),
        "compute": ("STALE", "yellow")
        if is_stale(utilization)
        else _compute(utilization["compute_percent"], is_at_work=is_at_work),
        "max": _figure(utilization["compute_max_percent"], "%"),
        "compute_trend": _trend(trend.compute_percents, 100.0, glyphs),
        "memory": _figure(utilization["memory_percent"], "%", NOTABLE_MEMORY_PERCENT, HIGH_MEMORY_PERCENT),
        "used": (memory_used(utilization["memory_used_bytes"], utilization["memory_total_bytes"]), ""),
        "cpu": _figure(metrics["cpu_percent"], "%"),
        "resident": (bytes_text(metrics["resident_bytes"]), ""),
        "reads": (bytes_per_second(metrics["read_bytes_per_second"]), ""),
        "rate": (rate(metrics["throughput"]), ""),
        "rate_trend": _trend(trend.throughputs, fastest, glyphs),
        "queue": _figure(metrics["queue_depth"], ""),
        "completed": _figure(metrics["files_completed"], ""),
        "failed": ("0", "dim") if failed == 0 else _figure(failed, "", 1),
        "stolen": (_moved(metrics["work_stolen_to"], metrics["work_stolen_from"]), ""),
        "temperature": _figure(utilization["temperature"], glyphs.degrees, NOTABLE_CELSIUS, HOT_CELSIUS),
        "power": _figure(utilization["power_watts"], "W"),
        "file": (glyphs.text(metrics["current_file"] or ""), "dim"),
    }


def _total_cells(rows: Sequence[Row], totals: RunTotals | None) -> Cells:
    """The sums of known figures, and the means of percentages; columns without a meaningful total stay empty.

    Each GPU counts once, whether workers share it or one worker uses several. `totals` are the run's, with the
    failures that belong to no device; None when `rows` are not the whole run.
    """
    metrics = [row[0] for row in rows]
    utilization = each_gpu_once(rows)
    of_each_gpu = [figures for row, figures in utilization for _ in row["gpus"] or (None,)]
    if totals is None:
        completed = whole_sum(row["files_completed"] for row in metrics)
        failed = whole_sum(row["files_failed"] for row in metrics)
        gained = whole_sum(row["work_stolen_to"] for row in metrics)
        stolen = _moved(gained, whole_sum(row["work_stolen_from"] for row in metrics))
    else:
        completed, failed, stolen = (
            totals["files_completed"],
            totals["files_failed"],
            plain_count(totals["steals"]),
        )
    cells = {
        "device": "  TOTAL",
        "name": count_devices(len(metrics)),
        "compute": percent(known_mean(gpu["compute_percent"] for gpu in of_each_gpu)),
        "memory": percent(known_mean(gpu["memory_percent"] for gpu in of_each_gpu)),
        "used": memory_used(
            known_sum(figures["memory_used_bytes"] for _, figures in utilization),
            known_sum(figures["memory_total_bytes"] for _, figures in utilization),
        ),
        "cpu": _figure(known_sum(row["cpu_percent"] for row in metrics), "%")[0],
        "resident": bytes_text(known_sum(row["resident_bytes"] for row in metrics)),
        "reads": bytes_per_second(known_sum(row["read_bytes_per_second"] for row in metrics)),
        "rate": rate(known_sum(row["throughput"] for row in metrics)),
        "queue": _figure(known_sum(row["queue_depth"] for row in metrics), "")[0],
        "completed": plain_count(completed),
        "stolen": stolen,
        "power": _figure(known_sum(figures["power_watts"] for _, figures in utilization), "W")[0],
    }
    bold = {key: (content, "bold") for key, content in cells.items()}
    return {**bold, "failed": (f"!{failed}", "bold yellow") if failed else (plain_count(failed), "bold")}


def _moved(gained: int | None, lost: int | None) -> str:
    return UNKNOWN if gained is None or lost is None else f"+{gained} -{lost}"


# Every colour has a mark beside it: "!" for yellow, "!!" for red.


def _figure(value: float | None, unit: str, warn: float = inf, bad: float = inf) -> tuple[str, str]:
    """A whole number, with "!" from `warn` on and "!!" from `bad` on."""
    if value is None:
        return UNKNOWN, ""
    if value >= bad:
        return f"!!{value:.0f}{unit}", ALARM
    return (f"!{value:.0f}{unit}", "yellow") if value >= warn else (f"{value:.0f}{unit}", "")


def _compute(value: float | None, *, is_at_work: bool) -> tuple[str, str]:
    """A percentage, marked if it is low although the device works on a file."""
    if value is None or not is_at_work:
        return percent(value), ""
    if value < LOW_COMPUTE_PERCENT:
        return f"!!{percent(value)}", ALARM
    return (f"!{percent(value)}", "yellow") if value < NOTABLE_COMPUTE_PERCENT else (percent(value), "")


def _trend(values: Sequence[float | None], top: float, glyphs: Glyphs) -> tuple[str, str]:
    """A sparkline; empty if no value is known, or there is only one."""
    if len(values) < 2 or all(value is None for value in values):
        return NO_CELL
    return glyphs.sparkline(values, top), "dim"
