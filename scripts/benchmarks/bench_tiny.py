"""Benchmark of tiny files, each safe on disk before it counts, beside a pool that is as careful and xargs -P.

Wall time is from launch to exit. xargs runs a command for each file, and syncs nothing.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from contenders import OURS, SYNCED_POOL, XARGS, Outcome, run, write_files
from workload import middle, row

FILES = 1_000
WORKERS = 2
ROUNDS = 5


def measure() -> list[dict[str, Any]]:
    """Measure all three in turn."""
    outcomes: dict[str, list[Outcome]] = {each.name: [] for each in (OURS, SYNCED_POOL, XARGS)}
    with tempfile.TemporaryDirectory() as folder:
        inputs = write_files(Path(folder), FILES)
        for _ in range(ROUNDS):
            for each in (OURS, SYNCED_POOL, XARGS):
                outcomes[each.name].append(run(each, inputs, WORKERS))
    rows = []
    for name, runs in outcomes.items():
        rows.append(row(f"{FILES:,} tiny files: {name}", middle([each.wall_seconds for each in runs]), "s"))
        if runs[0].naps:
            rows.append(row("  once the first is begun", middle([each.span_seconds for each in runs]), "s"))
        rows.append(
            row("  processor time", middle([1e3 * each.cpu_seconds / FILES for each in runs]), "ms a file")
        )
    ours = outcomes[OURS.name]
    for name, goal in ((SYNCED_POOL.name, ">= 0.8"), (XARGS.name, ">= 1")):
        pairs = zip(outcomes[name], ours, strict=True)
        ratios = [theirs.wall_seconds / each.wall_seconds for theirs, each in pairs]
        rows.append(row(f"speed / {name}", middle(ratios), "x", goal))
    return rows
