"""From a snapshot to what a person sees on a terminal. Pure functions.

A frame is a list of one-line `Text`s that fits the given width and height by itself: columns are dropped from
the least important, rows are shown by the page with a word on which they are. Colour only repeats what a mark, a
word or a figure says already. No string of an event reaches a line except through `visible`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from monitor.glyphs import GAP, MARGIN, UNICODE, Glyphs, counts
from monitor.look import EVERYTHING, Look
from monitor.paging import page_count, wanted
from monitor.snapshot import Snapshot, duration
from monitor.steals import latest_steals, stealing
from monitor.table import table
from virnucpro_bus.clock import local_time_of_day

BAR_CELLS = 6
"""The least of a progress bar."""
ROOMY_LINES, ROOMY_ROWS = 18, 6
"""From this height on, blank lines set the parts of a frame off, unless more rows than that need the room."""
UNLIMITED_LINES = 1_000_000
STEALS_KEPT = 2
"""Steals shown beside devices that do not all fit."""
SIMULATED, SIMULATED_BRIEFLY = "SIMULATED GPU FIGURES", "SIMULATED"


@dataclass(frozen=True)
class _Room:
    """How the lines of a frame are shared out."""

    lines: int
    gap: int
    """Blank lines between two parts."""
    stealing: int
    health: int
    fixed: int
    """What all but rows and steals take."""
    rows: int
    """What is left for rows, and for the line that says which they are."""


_OVER = {"stopped", "lost", "unused"}


def frame(
    snapshot: Snapshot, width: int, height: int | None, glyphs: Glyphs = UNICODE, look: Look = EVERYTHING
) -> list[Text]:
    """The whole picture, at most `height` lines of at most `width` cells; all of it when `height` is None."""
    devices = wanted(snapshot.rows, look)
    room = _room(snapshot, height, len(devices))
    gap, health = [Text()] * room.gap, _health(snapshot, width, room.health, glyphs)
    header, rows, total = table(snapshot, devices, width, room.rows, glyphs, look)
    steals = latest_steals(snapshot, width, room.lines - room.fixed - len(rows) - room.gap, glyphs)
    steals = [*gap, *steals] if steals else []
    if room.lines < room.fixed:
        lines = [_progress(snapshot, width, glyphs, untitled=True), header, total, *health]
    else:
        told = stealing(snapshot, glyphs) if room.stealing else []
        title, progress = _title(snapshot, width, glyphs), _progress(snapshot, width, glyphs)
        lines = [title, progress, *told, *gap, header, *rows, total, *steals, *gap, *health]
    for text in lines:
        text.no_wrap = True
        text.truncate(width, overflow="crop")
    return lines[: room.lines]


def pages(
    snapshot: Snapshot, width: int, height: int | None, glyphs: Glyphs = UNICODE, look: Look = EVERYTHING
) -> int:
    """How many pages the devices make in a frame of this size; at least 1."""
    devices = len(wanted(snapshot.rows, look))
    return page_count(devices, _room(snapshot, height, devices).rows)


def _room(snapshot: Snapshot, height: int | None, devices: int) -> _Room:
    lines = UNLIMITED_LINES if height is None else height
    is_roomy = lines >= ROOMY_LINES
    gap = 1 if lines >= ROOMY_LINES + max(0, devices - ROOMY_ROWS) else 0
    told = 1 if is_roomy and snapshot.effect is not None and snapshot.effect["makespan_seconds"] is not None else 0
    health = max(1, min(len(snapshot.health), lines // 8))
    fixed = 4 + told + 2 * gap + health
    kept = gap + 1 + min(STEALS_KEPT, len(snapshot.steals)) if snapshot.steals and is_roomy else 0
    return _Room(lines, gap, told, health, fixed, lines - fixed - kept)


def _title(snapshot: Snapshot, width: int, glyphs: Glyphs) -> Text:
    """The title, and what does not crowd it: how many devices are in which state, and the time of day."""
    inner = width - 2 * len(MARGIN)
    text = Text(MARGIN)
    if snapshot.is_simulated:
        # Before the title, so that this is cut last.
        text.append(SIMULATED if inner >= 2 * len(SIMULATED) else SIMULATED_BRIEFLY, "bold yellow").append(GAP)
    left = inner - len(text) + len(MARGIN)
    name = glyphs.shorten(glyphs.text(snapshot.title or "virnucpro-bus"), max(1, left))
    text.append(name, "bold")
    time_of_day = local_time_of_day(snapshot.now_ns)
    states = counts(Counter(metrics["state"] for metrics, _ in snapshot.rows), glyphs)
    for right in (f"{states}{GAP}{time_of_day}", time_of_day):
        space = left - cell_len(name) - cell_len(right)
        if space >= len(GAP):
            return text.append(" " * space + right, "dim")
    return text


def _progress(snapshot: Snapshot, width: int, glyphs: Glyphs, *, untitled: bool = False) -> Text:
    """Bar, files done/total, percent, failed, elapsed, ETA; in a narrow terminal without the bar, then without
    the elapsed time. `untitled`: no title above says that figures are made up."""
    totals = snapshot.totals
    done, failed, total = totals["files_completed"], totals["files_failed"], totals["files_total"]
    elapsed = [f"elapsed {duration(snapshot.elapsed_seconds)}"]
    if total is None:
        parts = [f"{done:,} files done"]
    else:
        parts = [f"{done:,}/{total:,} files", f"{100 * done // total if total else 100}%"]
    parts += [f"{failed:,} failed"] if failed else []
    eta = [_end(snapshot)]
    words = GAP.join(parts + elapsed + eta)
    bar_cells = width - 2 * len(MARGIN) - len(GAP) - len(words)
    text = Text(MARGIN)
    if untitled and snapshot.is_simulated:
        text.append(SIMULATED_BRIEFLY + GAP, "bold yellow")
        words = GAP.join(parts + eta)
    elif bar_cells < 0:
        words = GAP.join(parts + eta)
    elif bar_cells >= BAR_CELLS and total:
        full, rest = glyphs.bar(done / total, bar_cells)
        bad = glyphs.bar(failed / total, bar_cells)[0]
        text.append(full, "green").append(bad and glyphs.lost * len(bad), "red")
        text.append(rest[len(bad) :] + GAP, "dim")
    return text.append(words)


def _end(snapshot: Snapshot) -> str:
    """How the run stands to its end; with every worker stopped nothing more is to be expected."""
    totals, states = snapshot.totals, {metrics["state"] for metrics, _ in snapshot.rows}
    total = totals["files_total"]
    if total is not None and totals["files_completed"] + totals["files_failed"] >= total:
        return "finished"
    if snapshot.is_over or (total is not None and "stopped" in states and states <= _OVER):
        return "ended early"
    return f"ETA {duration(snapshot.eta_seconds)}"


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
