"""Benchmark of the time between two files of a worker, beside a pool whose results are as safe.

It is from the end of the job's call to the begin of the next one, by the job's own clock, for files of 0.05 s. The
pool syncs the result, its folder and a line of a journal before it takes the next file.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from contenders import OURS, SYNCED_POOL, run, write_files
from naps import WORK_PER_SECOND
from workload import middle, row

FILES = 40
"""For each worker."""
FILE_SECONDS = 0.05
ROUNDS = 5
GOALS = {2: "<= 1.0", 4: "<= 1.15"}
"""By the number of workers."""


def measure() -> list[dict[str, Any]]:
    """Measure both in turn with each number of workers."""
    rows = []
    for workers, goal in GOALS.items():
        with tempfile.TemporaryDirectory() as folder:
            inputs = write_files(Path(folder), workers * FILES, round(FILE_SECONDS * WORK_PER_SECOND))
            ours, pool = [], []
            for _ in range(ROUNDS):
                ours.append(1e3 * middle(run(OURS, inputs, workers).gaps))
                pool.append(1e3 * middle(run(SYNCED_POOL, inputs, workers).gaps))
        rows += [
            row(f"{workers} workers: between two files, median", middle(ours), "ms"),
            row(f"{workers} workers: synced Pool", middle(pool), "ms"),
            row("  / synced Pool", middle([a / b for a, b in zip(ours, pool, strict=True)]), "x", goal),
        ]
    return rows
