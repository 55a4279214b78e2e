"""Benchmark of joining late: how long a viewer takes until its counts are exact, by the number of past events.

The events are those of a planned run, of which hub and viewer keep every file.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from workload import child, middle, planned_stream, row

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.metrics import Totals
from virnucpro_bus.run_folder import read_addresses
from virnucpro_bus.sources.live import catch_up
from virnucpro_bus.sources.subscriber import Subscriber

FILES = {10_000: 2_500, 100_000: 25_000, 1_000_000: 250_000}
"""Files of the stream, by the (rounded) number of its events."""
ROUNDS = 5
GOAL_AT = 1_000_000


def measure() -> list[dict[str, Any]]:
    """Measure viewers of ever longer streams."""
    rows = []
    for events, files in FILES.items():
        seconds = _attach(files)
        goal = "<= 2" if events == GOAL_AT else ""
        rows.append(row(f"join a hub until exact, {events:,} past events", middle(seconds), "s", goal))
        rows.append(row(f"  slowest of {ROUNDS}", max(seconds), "s", goal))
    return rows


def _attach(files: int) -> list[float]:
    """Fill a hub over its own sockets, then join it several times; return the seconds of each."""
    truth = FleetState(SystemClock())
    truth.feed(list(planned_stream(files)))
    wanted = truth.get_totals()
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder) / "run"
        with child("hub", run_dir) as hub:
            publish, _ = hub.line().split()
            with child("flood", publish, files, 0, "planned") as sender:
                sender.line()
                sender.go()
                while _join(run_dir)[0]["events_received"] < wanted["events_received"]:
                    sleep(0.2)
                return [_time_exact_join(run_dir, wanted) for _ in range(ROUNDS)]


def _time_exact_join(run_dir: Path, wanted: Totals) -> float:
    """Return the seconds until the counts are those wanted."""
    totals, seconds = _join(run_dir)
    assert totals == wanted, totals
    return seconds


def _join(run_dir: Path) -> tuple[Totals, float]:
    """Join; return the totals once everything is read, and the seconds since the viewer's first step."""
    clock = SystemClock()
    started = perf_counter()
    source = Subscriber(read_addresses(run_dir).history, clock, run_dir)
    fleet = FleetState(clock)
    catch_up(source, fleet)
    totals = fleet.get_totals()
    elapsed = perf_counter() - started
    source.close()
    return totals, elapsed
