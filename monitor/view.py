"""From a snapshot to what a person sees: `frame` for a terminal, `line` for a log. Pure functions.

A frame is a list of one-line `Text`s that fits the given width and height by itself: columns are dropped from
the least important, rows are cropped with a word on what is not shown. Colour only repeats what a mark, a
word or a figure says already. No string of an event reaches a line except through `visible`.
"""

from __future__ import annotations

from collections import Counter

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from monitor.glyphs import GAP, MARGIN, STATE_WORDS, UNICODE, Glyphs, counts
from monitor.snapshot import (
    UNKNOWN,
    Row,
    Snapshot,
    device_label,
    device_labels,
    duration,
    has_several_hosts,
    percent,
    rate,
)
from monitor.table import METER_CELLS, table
from virnucpro_bus.clock import NANOSECONDS, iso_utc, local_time_of_day
from virnucpro_bus.telling import gain, sentence, span
from virnucpro_bus.text import visible

ROOMY_LINES, ROOMY_ROWS = 18, 6
"""From this height on, blank lines set the parts of a frame off, unless more rows than that need the room."""
UNLIMITED_LINES = 1_000_000
STEALS_KEPT, STEALS_SHOWN = 2, 8
"""Steals shown beside devices that do not all fit, and at most."""
LINE_CHARACTERS = 560
"""Beyond this length a plain line leaves devices out, and says how many."""


def frame(snapshot: Snapshot, width: int, height: int | None, glyphs: Glyphs = UNICODE) -> list[Text]:
    """The whole picture, at most `height` lines of at most `width` cells; all of it when `height` is None."""
    room = UNLIMITED_LINES if height is None else height
    gap = [Text()] if room >= ROOMY_LINES + max(0, len(snapshot.rows) - ROOMY_ROWS) else []
    title, progress = _title(snapshot, width, glyphs), _progress(snapshot, width, glyphs)
    stealing = _stealing(snapshot, glyphs) if room >= ROOMY_LINES else []
    health, steals = _health(snapshot, width, room // 8, glyphs), _steals(snapshot, width, glyphs)
    fixed = 4 + len(stealing) + 2 * len(gap) + len(health)
    kept = len(gap) + len(steals[: 1 + STEALS_KEPT]) if steals and room >= ROOMY_LINES else 0

    header, rows, total = table(snapshot, width, room - fixed - kept, glyphs)
    steals = steals[: max(0, room - fixed - len(rows) - len(gap))]
    steals = [*gap, *steals] if len(steals) > 1 else []  # never a heading alone
    if room < fixed:
        lines = [progress, header, total, *health]
    else:
        lines = [title, progress, *stealing, *gap, header, *rows, total, *steals, *gap, *health]
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
    saved = None if snapshot.effect is None else snapshot.effect["saved_seconds"]
    what_for = "" if saved is None or not totals["steals"] else f" saved {span(saved)}"
    parts.append(f"steals {totals['steals']}{what_for}")
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
    states = counts(Counter(metrics["state"] for metrics, _ in snapshot.rows), glyphs)
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


def _stealing(snapshot: Snapshot, glyphs: Glyphs) -> list[Text]:
    """What stealing has done for the run, in one line; none where that is not known."""
    told = None if snapshot.effect is None else sentence(snapshot.effect)
    return [] if told is None else [Text(f"{MARGIN}stealing: {glyphs.text(told)}", "dim")]


def _saved(snapshot: Snapshot) -> dict[tuple[str, str, float], float]:
    """What steals have saved, by host, file and time, where that is known."""
    steals = [] if snapshot.effect is None else snapshot.effect["steals"]
    return {
        (steal["host"], steal["file_name"], steal["timestamp"]): saved
        for steal in steals
        if (saved := steal["saved_seconds"]) is not None
    }


def _steals(snapshot: Snapshot, width: int, glyphs: Glyphs) -> list[Text]:
    """A heading and the latest steals, newest first; nothing when there were none. A steal stays on its host."""
    if not snapshot.steals:
        return []
    recent = snapshot.steals[: -1 - STEALS_SHOWN : -1]
    pairs = [(steal["dest_gpu"], steal["source_gpu"]) for steal in recent]
    labels = [[glyphs.shorten(glyphs.text(device_label(device)), 16) for device in pair] for pair in pairs]
    wide = [max(cell_len(pair[side]) for pair in labels) for side in (0, 1)]
    hosts = [glyphs.shorten(glyphs.text(steal["host"]), 16) for steal in recent]
    host_cells = max(map(cell_len, hosts)) if has_several_hosts(snapshot.rows) else 0
    saved = _saved(snapshot)
    lines = [Text(f"{MARGIN}RECENT STEALS", "bold cyan")]
    for steal, host, (thief, victim) in zip(recent, hosts, labels, strict=True):
        text = Text(MARGIN).append(local_time_of_day(round(steal["timestamp"] * NANOSECONDS)), "dim")
        if host_cells:
            text.append(GAP + set_cell_size(host, host_cells))
        text.append(f"{GAP}{set_cell_size(thief, wide[0])} <- {set_cell_size(victim, wide[1])}{GAP}")
        seconds = saved.get((steal["host"], steal["file_name"], steal["timestamp"]))
        came_of_it = "" if seconds is None else f"{GAP}{gain(seconds)}"
        room = max(8, width - cell_len(text.plain) - len(came_of_it))
        text.append(glyphs.shorten(glyphs.text(steal["file_name"]), room, keep_end=True))
        lines.append(text.append(came_of_it, "dim" if seconds is None or seconds >= 0 else "yellow"))
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
