"""Benchmark of the effect of stealing: its first computation for a long run, and the incremental ones after it."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from workload import event_stream, middle, plan_of, row

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.fold.fleet import FleetState

SIZES = (10_000, 100_000, 1_000_000)
FILES_PER_UPDATE = 100
"""Files that complete between two computations."""
UPDATES = 20


def measure() -> list[dict[str, Any]]:
    """Measure runs of ever more files."""
    rows = []
    for files in SIZES:
        fleet = FleetState(SystemClock())
        fleet.feed(list(plan_of(files)))
        frames = list(event_stream(files))
        later = frames[-UPDATES * FILES_PER_UPDATE * 4 :]
        fleet.feed(frames[: -len(later)])
        del frames
        first = _time_effect(fleet)
        times = []
        for at in range(0, len(later), 4 * FILES_PER_UPDATE):
            fleet.feed(later[at : at + 4 * FILES_PER_UPDATE])
            times.append(_time_effect(fleet))
        rows.append(row(f"first computation, {files:,} files", first, "s"))
        goal = "<= 0.5" if files == SIZES[-1] else ""
        rows.append(row(f"  next one, after {FILES_PER_UPDATE} more files", middle(times), "s", goal))
    return rows


def _time_effect(fleet: FleetState) -> float:
    started = perf_counter()
    effect = fleet.get_effect()
    seconds = perf_counter() - started
    assert effect["makespan_seconds"], effect
    return seconds
