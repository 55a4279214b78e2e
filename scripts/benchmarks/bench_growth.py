"""Benchmark of growth: what a run of ever more files takes to start, to be stopped, to be resumed and to be shown.

The files have 8 bytes. Their numbers are powers of ten up to BENCH_FILES, an environment variable; a run of
1,000,000 takes some minutes and 4 GB of disk. A run is stopped by Ctrl-C some seconds after its first result.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from contenders import HERE, our_command, write_files
from workload import peak_bytes, row

FILES_VARIABLE = "BENCH_FILES"
DEFAULT_FILES = 100_000
LEAST_FILES = 1_000
WORKERS = 2
RUN_SECONDS = 5.0
"""From the first result of a session to Ctrl-C."""
POLL_SECONDS = 0.02
MEBIBYTE = 2**20
GOALS_AT = 1_000_000
"""The goals are those of a run of so many files."""


@dataclass(frozen=True)
class Session:
    """What one session of a run took, from outside."""

    first_seconds: float
    """From launch to the first result."""
    rate: float
    """Results a second from then on."""
    stop_seconds: float | None
    """From Ctrl-C to exit; None: it had ended before."""
    peak_bytes: int
    """The greatest resident memory of the launcher."""


def measure() -> list[dict[str, Any]]:
    """Measure runs of ever more files."""
    most = int(os.environ.get(FILES_VARIABLE, DEFAULT_FILES))
    rows = []
    files = LEAST_FILES
    while files <= most:
        with tempfile.TemporaryDirectory() as folder:
            rows += _measure(Path(folder), files)
        files *= 10
    return rows


def _measure(folder: Path, files: int) -> list[dict[str, Any]]:
    command = our_command(write_files(folder, files), folder, WORKERS)
    results = folder / "run" / "results"
    first = _run(command, results)

    def line(what: str, value: float, unit: str, goal: str = "") -> dict[str, Any]:
        return row(f"{files:,} files: {what}", value, unit, goal if files == GOALS_AT else "")

    rows = [
        line("launch to first result", first.first_seconds, "s", "<= 10"),
        line("results a second from then on", first.rate, "files/s"),
        line("peak memory of the launcher", first.peak_bytes / MEBIBYTE, "MiB", "<= 400"),
        line("monitor --once", _show_seconds(folder / "run"), "s", "<= 2"),
    ]
    if first.stop_seconds is None:
        print(f"    {files:,} files: all were done before Ctrl-C", flush=True)
        return rows
    resumed = _run([*command, "--resume"], results)
    return [
        *rows,
        line("Ctrl-C to exit", first.stop_seconds, "s", "<= 2"),
        line("resume to first result", resumed.first_seconds, "s", "<= 20"),
        line("peak memory of the launcher, resumed", resumed.peak_bytes / MEBIBYTE, "MiB"),
    ]


def _run(command: list[str], results: Path) -> Session:
    """Run one session until its end, or Ctrl-C."""
    before = _count(results)
    quiet = subprocess.DEVNULL
    launched = monotonic()
    with subprocess.Popen(command, cwd=HERE, stdout=quiet, stderr=quiet) as launcher:
        while _count(results) == before:
            assert launcher.poll() is None, "the run has ended without a result"
            sleep(POLL_SECONDS)
        first = monotonic()
        peak = 0
        while launcher.poll() is None and monotonic() < first + RUN_SECONDS:
            peak = _peak(launcher, peak)
            sleep(POLL_SECONDS)
        stopped = monotonic()
        has_ended = launcher.poll() is not None
        done = _count(results) - before
        if not has_ended:
            launcher.send_signal(signal.SIGINT)
        while launcher.poll() is None:
            peak = _peak(launcher, peak)
            sleep(POLL_SECONDS)
    stop_seconds = None if has_ended else monotonic() - stopped
    return Session(first - launched, done / (stopped - first), stop_seconds, peak)


def _count(results: Path) -> int:
    """Return the number of results. A run writes no other files there."""
    return len(os.listdir(results)) if results.exists() else 0


def _peak(launcher: subprocess.Popen[bytes], least: int) -> int:
    """Return the peak of the launcher's memory, or `least` when it has just ended."""
    try:
        return max(least, peak_bytes(launcher.pid))
    except (OSError, IndexError):
        return least


def _show_seconds(run_dir: Path) -> float:
    command = [sys.executable, "-m", "virnucpro_bus", "monitor", str(run_dir), "--once"]
    started = monotonic()
    subprocess.run(command, cwd=HERE, check=True, stdout=subprocess.DEVNULL)
    return monotonic() - started
