"""Benchmark of ours beside what users would pick instead, where it is installed: the same files in one run.

Tiny files show what a file costs, files that sleep for 0.2 s how well two workers are kept busy. Those that call a
Python function are compared with each other, and those that run a command with each other. Only ours and the
synced Pool have each result on disk before it counts.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from contenders import COUNTS, OURS, OURS_OF_COMMANDS, Contender, Outcome, find_contenders, run, write_files
from naps import WORK_PER_SECOND
from workload import middle, row

WORKERS = 2
TINY_FILES = 1_000
LONG_FILES, LONG_SECONDS = 60, 0.2
ROUNDS = 3


def measure() -> list[dict[str, Any]]:
    """Run every contender in turn, in several rounds."""
    contenders, missing = find_contenders()
    if missing:
        print(f"  not installed: {', '.join(missing)}", flush=True)
    tiny: dict[str, list[Outcome]] = {each.name: [] for each in contenders}
    long: dict[str, list[Outcome]] = {each.name: [] for each in contenders if each.results != COUNTS}
    with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as large:
        tiny_inputs = write_files(Path(small), TINY_FILES)
        long_inputs = write_files(Path(large), LONG_FILES, round(LONG_SECONDS * WORK_PER_SECOND))
        for _ in range(ROUNDS):
            for each in contenders:
                tiny[each.name].append(run(each, tiny_inputs, WORKERS))
                if each.name in long:
                    long[each.name].append(run(each, long_inputs, WORKERS))
    return [line for each in contenders for line in _rows(each, tiny, long)]


def _rows(
    contender: Contender, tiny: dict[str, list[Outcome]], long: dict[str, list[Outcome]]
) -> list[dict[str, Any]]:
    name, is_command = contender.name, contender.results == COUNTS
    runs, ours = tiny[name], tiny[OURS_OF_COMMANDS.name if is_command else OURS.name]
    first = "first result after" if is_command else "first file begun after"
    rows = [
        row(f"{name}: {first}", middle([each.first_seconds for each in runs]), "s"),
        row(f"  {TINY_FILES:,} tiny files, launch to exit", middle([each.wall_seconds for each in runs]), "s"),
    ]
    if runs is not ours:
        ratios = [each.wall_seconds / theirs.wall_seconds for each, theirs in zip(ours, runs, strict=True)]
        rows.append(row(f"    ours / {name}", middle(ratios), "x"))
    rows.append(
        row("    processor time", middle([1e3 * each.cpu_seconds / TINY_FILES for each in runs]), "ms a file")
    )
    if not is_command:
        least = LONG_FILES * LONG_SECONDS / WORKERS
        ratios = [each.wall_seconds / least for each in long[name]]
        rows.append(row(f"  {LONG_FILES} files of {LONG_SECONDS} s, launch to exit", middle(ratios), "x least"))
    return rows
