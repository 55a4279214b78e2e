"""Benchmark of memory: how the hub and a viewer grow over BENCH_MILLIONS million events of a planned run.

A viewer keeps each planned file; the plan comes before all else, so it is part of what the first events take.
Everything runs at full speed, so each queue between the two contains up to 100,000 frames (about 30 MiB).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from workload import Peer, child, events_of, millions, peak_bytes, resident_bytes, row

DEFAULT_MILLIONS = 5
WARM_UP_EVENTS = 1_000_000
"""After these, every queue and buffer has reached its full size."""
MEBIBYTE = 2**20


def measure() -> list[dict[str, Any]]:
    """Measure both processes while one stream goes through them."""
    files = millions(DEFAULT_MILLIONS) * 250_000
    events = events_of(files)
    with tempfile.TemporaryDirectory() as folder, child("hub", f"{folder}/run") as hub:
        publish, _ = hub.line().split()
        with child("view", f"{folder}/run", WARM_UP_EVENTS, events // 2, events) as viewer:
            viewer.line()
            fresh = _resident(hub, viewer)
            started = perf_counter()
            with child("stream", publish, files) as sender:
                viewer.line()
                warm = _resident(hub, viewer)
                viewer.line()
                half = _resident(hub, viewer)
                viewer.line()
                seconds = perf_counter() - started
                full, peak = _resident(hub, viewer), [peak_bytes(each.pid) for each in (hub, viewer)]
                sender.wait()
        recorded_bytes = (Path(folder) / "run" / "run.vbus").stat().st_size
    later_files = files - WARM_UP_EVENTS * files // events
    rows = [
        row("events published, recorded, forwarded and folded", events, "events"),
        row("  that is", events / seconds, "events/s"),
        row("  recorded", recorded_bytes / MEBIBYTE, "MiB"),
    ]
    for at, name in enumerate(("hub", "viewer")):
        rows += [
            row(f"{name}: resident, idle", fresh[at] / MEBIBYTE, "MiB"),
            row(f"{name}: after {WARM_UP_EVENTS:,} events", warm[at] / MEBIBYTE, "MiB"),
            row(f"{name}: after half of them", half[at] / MEBIBYTE, "MiB"),
            row(f"{name}: after all", full[at] / MEBIBYTE, "MiB"),
            row(f"{name}: peak", peak[at] / MEBIBYTE, "MiB"),
            row(f"{name}: growth after the first {WARM_UP_EVENTS:,}", (full[at] - warm[at]) / MEBIBYTE, "MiB"),
            row("  for each file completed meanwhile", (full[at] - warm[at]) / later_files, "bytes"),
        ]
    return rows


def _resident(*processes: Peer) -> list[int]:
    return [resident_bytes(process.pid) for process in processes]
