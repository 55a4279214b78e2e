"""A snapshot as one plain line for a log, made to be searched with grep. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.model.health import is_stalled
from monitor.model.paging import troubled_first, wanted
from monitor.model.selection import EVERYTHING, ViewOptions
from monitor.model.view_model import NOTICE, Row, ViewModel, device_label, has_several_hosts
from monitor.view.formatting import percent, rate
from monitor.view.glyphs import STALLED, STATE_WORDS, UNICODE
from virnucpro_bus.clock import iso_utc
from virnucpro_bus.effect.text_report import outcome
from virnucpro_bus.metrics import is_stale
from virnucpro_bus.text import visible
from virnucpro_bus.units import UNKNOWN, duration

DEVICES_CHARACTERS = 480
"""What devices may take of a line; those that do not fit are counted."""
PROBLEMS_TOLD, PROBLEM_CHARACTERS = 3, 80
NEWS_CHARACTERS = 160
_IN_ROWS = {"lost", "silent", "stale", "stalled"}
"""Problems that stand beside the devices which have them."""


def line(snapshot: ViewModel, look: ViewOptions = EVERYTHING) -> str:
    """The whole picture as one line of bounded length, without control characters.

    Problems are named briefly, as they are in every line for as long as they last; what the run tells at one time
    is told once.
    """
    totals = snapshot.totals
    files_total = "" if totals["files_total"] is None else f"/{totals['files_total']}"
    parts = [
        f"{iso_utc(snapshot.now_ns)[:19]}Z files {totals['files_completed']}{files_total}"
        f" failed {totals['files_failed']} {rate(snapshot.throughput)} seq/s"
        f" elapsed {duration(snapshot.elapsed_seconds)} {snapshot.end or f'eta {duration(snapshot.eta_seconds)}'}"
    ]
    if snapshot.is_simulated:
        parts.append("simulated GPU figures")
    devices, left_out = _devices(wanted(snapshot.rows, look), snapshot)
    parts += devices
    if left_out:
        parts.append(f"{left_out} more devices")
    came_of_it = None if snapshot.effect is None else outcome(snapshot.effect)
    parts.append(f"steals {totals['steals']}{f' {came_of_it}' if came_of_it else ''}")
    if totals["events_lost"] > 0:
        parts.append(f"events lost {totals['events_lost']}")
    told = {NOTICE, "lost events"} | (set() if left_out else _IN_ROWS)
    others = [problem.brief or problem.text for problem in snapshot.health if problem.kind not in told]
    parts += _few(others, PROBLEM_CHARACTERS, "problems")
    parts += _few(snapshot.news, NEWS_CHARACTERS, "notices")
    return " | ".join(parts)


def _few(texts: Sequence[str], characters: int, what: str) -> list[str]:
    """The first of `texts`, and how many more there are."""
    told = [UNICODE.shorten(visible(text), characters) for text in texts[:PROBLEMS_TOLD]]
    more = len(texts) - len(told)
    return [*told, f"{more} more {what}"] if more else told


def _devices(rows: Sequence[Row], snapshot: ViewModel) -> tuple[list[str], int]:
    """As many devices as fit, those in trouble first where not all do; and how many are left out."""
    told = _fitting(rows, snapshot)
    if len(told) < len(rows):
        told = _fitting(troubled_first(rows), snapshot)
    return told, len(rows) - len(told)


def _fitting(rows: Sequence[Row], snapshot: ViewModel) -> list[str]:
    several_hosts = has_several_hosts(snapshot.rows)
    told: list[str] = []
    left = DEVICES_CHARACTERS
    for row in rows:
        told.append(_device(row, several_hosts))
        left -= len(told[-1])
        if left < 0:
            return told[:-1]
    return told


def _device(row: Row, several_hosts: bool) -> str:
    metrics, utilization = row
    label = device_label(metrics["device_id"])
    label = UNICODE.shorten(f"{visible(metrics['host'])} {label}" if several_hosts else label, 40)
    states = [
        STATE_WORDS.get(metrics["state"]),
        STALLED if is_stalled(metrics) else None,
        "STALE" if is_stale(utilization) else None,
    ]
    queue, throughput = metrics["queue_depth"], metrics["throughput"]
    words = [label, *[state for state in states if state][:1], percent(utilization["compute_percent"])]
    words.append(UNKNOWN if throughput is None else f"{rate(throughput)}/s")
    return " ".join([*words, f"q{UNKNOWN if queue is None else queue}"])
