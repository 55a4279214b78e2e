"""A snapshot as one plain line for a log, made to be searched with grep. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.glyphs import STATE_WORDS, UNICODE
from monitor.health import is_stale
from monitor.look import EVERYTHING, Look
from monitor.paging import troubled_first, wanted
from monitor.snapshot import UNKNOWN, Row, Snapshot, device_label, duration, has_several_hosts, percent, rate
from virnucpro_bus.clock import iso_utc
from virnucpro_bus.telling import span
from virnucpro_bus.text import visible

DEVICES_CHARACTERS = 480
"""What devices may take of a line; those that do not fit are counted."""
PROBLEMS_TOLD = 3


def line(snapshot: Snapshot, look: Look = EVERYTHING) -> str:
    """The whole picture as one line of bounded length, without control characters."""
    totals = snapshot.totals
    files_total = "" if totals["files_total"] is None else f"/{totals['files_total']}"
    parts = [
        f"{iso_utc(snapshot.now_ns)[:19]}Z files {totals['files_completed']}{files_total}"
        f" failed {totals['files_failed']} {rate(snapshot.throughput)} seq/s"
        f" elapsed {duration(snapshot.elapsed_seconds)} eta {duration(snapshot.eta_seconds)}"
    ]
    if snapshot.is_simulated:
        parts.append("simulated GPU figures")
    devices, left_out = _devices(wanted(snapshot.rows, look), has_several_hosts(snapshot.rows))
    parts += devices
    if left_out:
        parts.append(f"{left_out} more devices")
    saved = None if snapshot.effect is None else snapshot.effect["saved_seconds"]
    what_for = "" if saved is None or not totals["steals"] else f" saved {span(saved)}"
    parts.append(f"steals {totals['steals']}{what_for}")
    if totals["events_lost"] > 0:
        parts.append(f"events lost {totals['events_lost']}")
    # The count of lost events, and the state of each device that is on the line, stand there already.
    told = ("lost events:",) if left_out else ("lost", "silent:", "stale:")
    others = [problem for problem in snapshot.health if not problem.startswith(told)]
    parts += [UNICODE.shorten(visible(problem), 160) for problem in others[:PROBLEMS_TOLD]]
    if len(others) > PROBLEMS_TOLD:
        parts.append(f"{len(others) - PROBLEMS_TOLD} more problems")
    return " | ".join(parts)


def _devices(rows: Sequence[Row], several_hosts: bool) -> tuple[list[str], int]:
    """As many devices as fit, those in trouble first where not all do; and how many are left out."""
    told = _fitting(rows, several_hosts)
    if len(told) < len(rows):
        told = _fitting(troubled_first(rows), several_hosts)
    return told, len(rows) - len(told)


def _fitting(rows: Sequence[Row], several_hosts: bool) -> list[str]:
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
    state = STATE_WORDS.get(metrics["state"]) or ("STALE" if is_stale(utilization) else "")
    queue, throughput = metrics["queue_depth"], metrics["throughput"]
    words = [label, *([state] if state else []), percent(utilization["compute_percent"])]
    words.append(UNKNOWN if throughput is None else f"{rate(throughput)}/s")
    return " ".join([*words, f"q{UNKNOWN if queue is None else queue}"])
