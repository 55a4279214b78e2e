"""From a snapshot to what a person sees: `frame` for a terminal, `line` for a log. Pure functions.

A frame is a list of one-line `Text`s that fits the given width and height by itself: columns are dropped from
the least important, rows are cropped with a word on what is not shown. Colour only repeats what a mark, a
word or a figure says already. No string of an event reaches a line except through `visible`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from monitor.snapshot import (
    UNKNOWN,
    Row,
    Snapshot,
    device_label,
    device_labels,
    duration,
    has_several_hosts,
    known_mean,
    known_sum,
    page,
    percent,
    rate,
    short_name,
)
from virnucpro_bus.clock import NANOSECONDS, iso_utc, local_time_of_day
from virnucpro_bus.text import visible

MARGIN = " "
GAP = "  "
ROOMY_LINES, ROOMY_ROWS = 18, 6
"""From this height on, blank lines set the parts of a frame off, unless more rows than that need the room."""
UNLIMITED_LINES = 1_000_000
STEALS_KEPT, STEALS_SHOWN = 2, 8
"""Steals shown beside devices that do not all fit, and at most."""
METER_CELLS = 6
LINE_CHARACTERS = 560
"""Beyond this length a plain line leaves devices out, and says how many."""

# The fields of one line of the table by column key: (what is written, its style).
Cells = dict[str, tuple[str, str]]
NO_CELL = ("", "")


@dataclass(frozen=True)
class Glyphs:
    """The characters that a frame is drawn with."""

    full: str = "━"
    rest: str = "─"
    ellipsis: str = "…"
    degrees: str = "°C"
    fine: str = "✓"
    busy: str = "●"
    idle: str = "○"
    ended: str = "·"
    lost: str = "×"
    ascii_only: bool = False

    def text(self, raw: str) -> str:
        """`raw`, which may come from outside, as it may stand on this screen."""
        safe = visible(raw)
        return safe.encode("ascii", "backslashreplace").decode() if self.ascii_only else safe

    def shorten(self, text: str, cells: int, *, keep_end: bool = False) -> str:
        """`text` in at most `cells` terminal cells, with an ellipsis where it was cut."""
        # Combining marks take no cell, but a name of nothing else must be bounded too.
        characters = 4 * cells
        if len(text) <= characters and cell_len(text) <= cells:
            return text
        if not keep_end:
            return set_cell_size(text[:characters], max(0, cells - 1)).rstrip() + self.ellipsis
        tail = text[-cells:]
        while tail and cell_len(tail) >= cells:
            tail = tail[1:]
        return self.ellipsis + tail

    def bar(self, share: float, cells: int) -> tuple[str, str]:
        """The full and the remaining part of a bar, `cells` long together; only a whole share fills it."""
        full = min(cells, max(0, int(share * cells)))
        return self.full * full, self.rest * (cells - full)


UNICODE = Glyphs()
ASCII = Glyphs("#", "-", "~", "C", "ok", "*", "o", ".", "x", ascii_only=True)
"""For a terminal whose encoding is not a Unicode one."""

STATE_WORDS = {"lost": "LOST", "silent": "SILENT"}
STATE_STYLES = {"busy": "green", "lost": "bold red", "silent": "bold yellow"}


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


def frame(snapshot: Snapshot, width: int, height: int | None, glyphs: Glyphs = UNICODE) -> list[Text]:
    """The whole picture, at most `height` lines of at most `width` cells; all of it when `height` is None."""
    room = UNLIMITED_LINES if height is None else height
    gap = [Text()] if room >= ROOMY_LINES + max(0, len(snapshot.rows) - ROOMY_ROWS) else []
    title, progress = _title(snapshot, width, glyphs), _progress(snapshot, width, glyphs)
    health, steals = _health(snapshot, width, room // 8, glyphs), _steals(snapshot, width, glyphs)
    fixed = 4 + 2 * len(gap) + len(health)
    kept = len(gap) + len(steals[: 1 + STEALS_KEPT]) if steals and room >= ROOMY_LINES else 0

    header, rows, total = _table(snapshot, width, room - fixed - kept, glyphs)
    steals = steals[: max(0, room - fixed - len(rows) - len(gap))]
    steals = [*gap, *steals] if len(steals) > 1 else []  # never a heading alone
    if room < fixed:
        lines = [progress, header, total, *health]
    else:
        lines = [title, progress, *gap, header, *rows, total, *steals, *gap, *health]
    for text in lines:
        text.no_wrap = True
        text.truncate(width, overflow="crop")
    return lines[:room]


def line(snapshot: Snapshot) -> str:
    """The same as one plain line for a log: no control characters, of bounded length."""
    totals = snapshot.totals
    files_total = "" if totals["files_total"] is None else f"/{totals['files_total']}"
    parts = [
        f"{iso_utc(snapshot.now_ns)[:19]}Z files {totals['files_completed']}{files_total}"
        f" failed {totals['files_failed']} {rate(snapshot.throughput)} seq/s"
        f" elapsed {duration(snapshot.elapsed_seconds)} eta {duration(snapshot.eta_seconds)}"
    ]
    for index, (label, row) in enumerate(zip(device_labels(snapshot.rows), snapshot.rows, strict=True)):
        if sum(map(len, parts)) > LINE_CHARACTERS:
            parts.append(f"{len(snapshot.rows) - index} more devices")
            break
        parts.append(_line_device(UNICODE.shorten(label, 40), row))
    parts.append(f"steals {totals['steals']}")
    if totals["events_lost"] > 0:
        parts.append(f"lost {totals['events_lost']}")
    # The count of lost events and the state of each device stand there already.
    told = ("lost", "silent")
    others = [problem for problem in snapshot.health if not problem.startswith(told)]
    parts += [UNICODE.shorten(visible(problem), 160) for problem in others[:3]]
    return " | ".join(parts)


def _line_device(label: str, row: Row) -> str:
    metrics, utilization = row
    state = STATE_WORDS.get(metrics["state"])
    queue, throughput = metrics["queue_depth"], metrics["throughput"]
    words = [label, *([state] if state else []), percent(utilization["compute_percent"])]
    words.append(UNKNOWN if throughput is None else f"{rate(throughput)}/s")
    return " ".join([*words, f"q{UNKNOWN if queue is None else queue}"])


# The parts of a frame


def _title(snapshot: Snapshot, width: int, glyphs: Glyphs) -> Text:
    """The title, and what does not crowd it: how many devices are in which state, and the time of day."""
    time_of_day = local_time_of_day(snapshot.now_ns)
    states = _counts(Counter(metrics["state"] for metrics, _ in snapshot.rows), glyphs)
    name = glyphs.shorten(glyphs.text(snapshot.title or "virnucpro-bus"), max(1, width - 2 * len(MARGIN)))
    for right in (f"{states}{GAP}{time_of_day}", time_of_day):
        space = width - 2 * len(MARGIN) - cell_len(name) - cell_len(right)
        if space >= len(GAP):
            return Text(MARGIN).append(name, "bold").append(" " * space + right, "dim")
    return Text(MARGIN).append(name, "bold")


def _progress(snapshot: Snapshot, width: int, glyphs: Glyphs) -> Text:
    """Bar, files done/total, percent, failed, elapsed, ETA; in a narrow terminal without the bar, then without
    the elapsed time."""
    totals = snapshot.totals
    done, failed, total = totals["files_completed"], totals["files_failed"], totals["files_total"]
    elapsed = [f"elapsed {duration(snapshot.elapsed_seconds)}"]
    if total is None:
        parts = [f"{done:,} files done"]
    else:
        parts = [f"{done:,}/{total:,} files", f"{100 * done // total if total else 100}%"]
    parts += [f"{failed:,} failed"] if failed else []
    finished = total is not None and done + failed >= total
    eta = ["finished" if finished else f"ETA {duration(snapshot.eta_seconds)}"]
    words = GAP.join(parts + elapsed + eta)
    bar_cells = width - 2 * len(MARGIN) - len(GAP) - len(words)
    text = Text(MARGIN)
    if bar_cells < 0:
        words = GAP.join(parts + eta)
    elif bar_cells >= METER_CELLS and total:
        full, rest = glyphs.bar(done / total, bar_cells)
        bad = glyphs.bar(failed / total, bar_cells)[0]
        text.append(full, "green").append(bad and glyphs.lost * len(bad), "red")
        text.append(rest[len(bad) :] + GAP, "dim")
    return text.append(words)


def _steals(snapshot: Snapshot, width: int, glyphs: Glyphs) -> list[Text]:
    """A heading and the latest steals, newest first; nothing when there were none."""
    if not snapshot.steals:
        return []
    recent = snapshot.steals[: -1 - STEALS_SHOWN : -1]
    pairs = [(steal["dest_gpu"], steal["source_gpu"]) for steal in recent]
    labels = [[glyphs.shorten(glyphs.text(device_label(device)), 16) for device in pair] for pair in pairs]
    wide = [max(cell_len(pair[side]) for pair in labels) for side in (0, 1)]
    lines = [Text(f"{MARGIN}RECENT STEALS", "bold cyan")]
    for steal, (thief, victim) in zip(recent, labels, strict=True):
        text = Text(MARGIN).append(local_time_of_day(round(steal["timestamp"] * NANOSECONDS)), "dim")
        text.append(f"{GAP}{set_cell_size(thief, wide[0])} <- {set_cell_size(victim, wide[1])}{GAP}")
        room = max(8, width - cell_len(text.plain))
        lines.append(text.append(glyphs.shorten(glyphs.text(steal["file_name"]), room, keep_end=True)))
    return lines


def _health(snapshot: Snapshot, width: int, room: int, glyphs: Glyphs) -> list[Text]:
    """One line a problem, in at most `room` lines (one at least), the last of which says how many are left out."""
    if not snapshot.health:
        return [Text(MARGIN).append(f"{glyphs.fine} no problems seen", "green dim")]
    room = max(1, room)
    lines = []
    for index, problem in enumerate(snapshot.health[:room], start=1):
        hidden = len(snapshot.health) - room if index == room else 0
        more = f"  (+{hidden} more)" if hidden > 0 else ""
        text = glyphs.shorten(glyphs.text(problem), max(8, width - len(MARGIN) - 2 - len(more)))
        lines.append(Text(f"{MARGIN}! {text}{more}", "yellow"))
    return lines


def _counts(states: Counter[str], glyphs: Glyphs) -> str:
    """For example "6 busy  1 idle  1 LOST", the most frequent first."""
    return GAP.join(f"{count} {_state_word(state, glyphs)}" for state, count in states.most_common(4))


# The table


def _table(snapshot: Snapshot, width: int, room: int, glyphs: Glyphs) -> tuple[Text, list[Text], Text]:
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
    rows = [_row(columns, bodies[index], glyphs) for index in shown]
    hidden = [row for index, row in enumerate(snapshot.rows) if index not in shown]
    if not states and room > 0:
        rows = [Text(f"{MARGIN}  waiting for the first device", "dim")]
    elif hidden and room > 0:
        rows.append(Text(f"{MARGIN}  {_hidden_in_words(hidden, glyphs)}", "dim"))
    return header, rows, _row(columns, total, glyphs)


def _hidden_in_words(hidden: Sequence[Row], glyphs: Glyphs) -> str:
    states = _counts(Counter(metrics["state"] for metrics, _ in hidden), glyphs)
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
        "state": (_state_word(state, glyphs), state_style),
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


def _state_word(state: str, glyphs: Glyphs) -> str:
    return STATE_WORDS.get(state) or glyphs.shorten(glyphs.text(state), 8)


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
