"""Benchmark of replay at full speed: read the capture of a planned run and fold it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from workload import middle, planned_stream, row

from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.sources.playback import fold_capture

FILES = 100_000
ROUNDS = 5


def measure() -> list[dict[str, Any]]:
    """Measure several rounds on one capture."""
    frames = list(planned_stream(FILES))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.vbus"
        with CaptureWriter(path, SystemClock()) as capture:
            capture.append(frames)
        read, folded = [], []
        for _ in range(ROUNDS):
            started = perf_counter()
            count = sum(len(batch) for batch in CaptureReader(path).batches())
            read.append(count / (perf_counter() - started))
            started = perf_counter()
            totals = fold_capture(path, SystemClock()).get_totals()
            folded.append(count / (perf_counter() - started))
            assert totals["events_received"] == count == len(frames), totals
    return [
        row("capture read", middle(read), "events/s"),
        row("replay + fold", middle(folded), "events/s", ">= 500,000"),
    ]
