"""Asks live runs for their figures, all at once and not for long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from monitor.runs.row import RUNNING, RunRow, is_working
from virnucpro_bus.clock import NANOSECONDS, Clock

if TYPE_CHECKING:
    from virnucpro_bus.fold.fleet import FleetState

ANSWER_SECONDS = 1.0
"""A hub that was stopped, or has much history and no snapshot, does not answer within that."""
MOST_ASKED = 32
"""Each takes a thread and several open files."""
CLOSE_SECONDS = 0.2


def with_figures(rows: Sequence[RunRow], clock: Clock, seconds: float = ANSWER_SECONDS) -> list[RunRow]:
    """Return the rows, those of live runs with the figures that their hubs have given within `seconds`.

    The first MOST_ASKED live runs are asked.
    """
    live = [at for at, row in enumerate(rows) if row["state"] == RUNNING]
    if not live:
        return list(rows)
    from monitor.attach import FollowedBus  # with the fold and sockets, which take longer to load than a list

    asked = {at: FollowedBus(rows[at]["folder"], clock, accept_ended=False) for at in live[:MOST_ASKED]}
    for bus in asked.values():
        bus.start()
    deadline_ns = clock.mono_ns() + round(seconds * NANOSECONDS)
    answered = list(rows)
    for at, bus in asked.items():
        if bus.catch_up(max(0.0, (deadline_ns - clock.mono_ns()) / NANOSECONDS)) and bus.failure is None:
            answered[at] = _with_fleet(rows[at], bus.fleet)
        bus.stop()
    for bus in asked.values():
        bus.wait(CLOSE_SECONDS)
    return answered


def _with_fleet(row: RunRow, fleet: FleetState) -> RunRow:
    """Add the figures of a live run; a hub without a launcher has no run that could have started."""
    with fleet.frozen():
        totals, elapsed = fleet.get_totals(), fleet.elapsed_seconds()
        states = [device["state"] for device in fleet.get_gpu_metrics() if is_working(device["state"])]
        runs = fleet.runs()
    return {
        **row,
        "state": runs[0]["state"] if runs else row["state"],
        "files_total": totals["files_total"],
        "files_completed": totals["files_completed"],
        "files_failed": totals["files_failed"],
        "devices": len(states),
        "started": runs[0]["started"] if runs else row["started"],
        "elapsed_seconds": elapsed,
    }
