"""Benchmark of what a user waits for: the start of a run, a dead worker's successor, and short commands.

Four tiny files on two workers are measured beside a spawned pool, a short command beside an interpreter that does
nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any

from contenders import HERE, OURS, POOL, Outcome, our_command, run, write_files
from naps import WORK_PER_SECOND, read_naps
from workload import middle, row

ROUNDS = 9
FILES, WORKERS = 4, 2
LONG_FILES, LONG_SECONDS = 6, 0.3
"""Of the run whose worker is killed, in the second file."""
COMMAND = str(Path(sys.executable).with_name("virnucpro-bus"))
TAB = {"_VIRNUCPRO_BUS_COMPLETE": "bash_complete", "COMP_WORDS": "virnucpro-bus mon", "COMP_CWORD": "1"}
"""What bash passes on when TAB is pressed."""


def measure() -> list[dict[str, Any]]:
    """Measure runs, the successor of a worker that is killed, and commands."""
    with tempfile.TemporaryDirectory() as folder:
        return [*_runs(Path(folder)), *_commands(Path(folder)), *_successor()]


def _runs(folder: Path) -> list[dict[str, Any]]:
    inputs = write_files(folder, FILES)
    ours: list[Outcome] = []
    pool: list[Outcome] = []
    for _ in range(ROUNDS):
        ours.append(run(OURS, inputs, WORKERS))
        pool.append(run(POOL, inputs, WORKERS))
    figures: dict[str, tuple[Callable[[Outcome], float], str, str]] = {
        "first file begun after": (lambda each: each.first_seconds, "", "<= 3.5"),
        "launch to exit": (lambda each: each.wall_seconds, "", ""),
        "processor time of all processes": (lambda each: each.cpu_seconds, "<= 0.8", ""),
    }
    rows = []
    for what, (of, goal, goal_beside_pool) in figures.items():
        ratios = [of(a) / of(b) for a, b in zip(ours, pool, strict=True)]
        rows += [
            row(f"{FILES} tiny files, {WORKERS} workers: {what}", middle([of(each) for each in ours]), "s", goal),
            row("  Pool", middle([of(each) for each in pool]), "s"),
            row("  / Pool", middle(ratios), "x", goal_beside_pool),
        ]
    return rows


def _commands(folder: Path) -> list[dict[str, Any]]:
    """Measure commands in turn with an interpreter that does nothing; `folder` has inputs, and gets a run."""
    subprocess.run(our_command(folder / "in", folder, WORKERS), cwd=HERE, check=True, capture_output=True)
    nothing = [sys.executable, "-c", ""]
    commands: dict[str, tuple[list[str], dict[str, str], str]] = {
        "--help": ([COMMAND, "--help"], {}, "<= 0.15"),
        "TAB": ([COMMAND], TAB, "<= 0.15"),
        "--version": ([COMMAND, "--version"], {}, ""),
        "monitor --once": ([COMMAND, "monitor", str(folder / "run"), "--once"], {}, "<= 0.25"),
    }
    rows = []
    for name, (command, environment, goal) in commands.items():
        ours, bare = [], []
        for _ in range(ROUNDS):
            ours.append(_seconds(command, environment))
            bare.append(_seconds(nothing, {}))
        ratios = [a / b for a, b in zip(ours, bare, strict=True)]
        rows += [row(name, middle(ours), "s", goal), row("  / python -c ''", middle(ratios), "x")]
    return rows


def _seconds(command: list[str], environment: dict[str, str]) -> float:
    started = perf_counter()
    subprocess.run(command, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - started


def _successor() -> list[dict[str, Any]]:
    """Kill the only worker of a run in its second file, several times."""
    seconds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            seconds.append(_restart_seconds(Path(folder)))
    return [
        row("from SIGKILL of a worker to the first file of its successor", 1e3 * middle(seconds), "ms", "<= 100")
    ]


def _restart_seconds(folder: Path) -> float:
    inputs = write_files(folder, LONG_FILES, round(LONG_SECONDS * WORK_PER_SECOND))
    results = folder / "run" / "results"
    quiet = subprocess.DEVNULL
    with subprocess.Popen(our_command(inputs, folder, 1), cwd=HERE, stdout=quiet, stderr=quiet) as launcher:
        while not (naps := read_naps(results)):
            assert launcher.poll() is None
            sleep(0.005)
        worker = naps[0][3]
        sleep(LONG_SECONDS / 2)
        os.kill(worker, signal.SIGKILL)
        killed = monotonic()
    assert launcher.returncode == 0
    return min(begin for begin, _, _, process in read_naps(results) if process != worker) - killed
