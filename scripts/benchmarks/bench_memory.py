"""How the memory of the hub and of a viewer grows over millions of events; BENCH_MILLIONS says how many.

It all runs at full speed, so there is up to 100,000 frames (some 30 MiB) in each of the queues between the two.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from workload import Peer, child, events_of, millions, peak_bytes, resident_bytes, row

DEFAULT_MILLIONS = 5
WARM_UP_EVENTS = 1_000_000
"""By then every queue and buffer has had its full size."""
MEBIBYTE = 2**20


def measure() -> list[dict[str, Any]]:
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
    rows = [
        row("events published, recorded, forwarded and folded", events, "events"),
        row("  that is", events / seconds, "events/s"),
        row("  on record", recorded_bytes / MEBIBYTE, "MiB"),
    ]
    for at, name in enumerate(("hub", "viewer")):
        rows += [
            row(f"{name}: resident, with nothing to do", fresh[at] / MEBIBYTE, "MiB"),
            row(f"{name}: after {WARM_UP_EVENTS:,} events", warm[at] / MEBIBYTE, "MiB"),
            row(f"{name}: after half of them", half[at] / MEBIBYTE, "MiB"),
            row(f"{name}: after all", full[at] / MEBIBYTE, "MiB"),
            row(f"{name}: at its highest", peak[at] / MEBIBYTE, "MiB"),
            row(f"{name}: growth after the first {WARM_UP_EVENTS:,}", (full[at] - warm[at]) / MEBIBYTE, "MiB"),
        ]
    return rows


def _resident(*processes: Peer) -> list[int]:
    return [resident_bytes(process.pid) for process in processes]
