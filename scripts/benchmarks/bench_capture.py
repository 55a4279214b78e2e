"""Benchmark of the capture: write and read it, plain and compressed, against a bare file of as many bytes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from workload import event_stream, middle, row

from virnucpro_bus.capture.compression import HAS_ZSTD, compress_capture
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.capture.records import HEADER, RECORD
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import SystemClock

FILES = 100_000
ROUNDS = 5
BATCH = 1_000
SYNC_EVERY = 100
SYNCED_FRAMES = 20_000
MEGABYTE = 1e6


def measure() -> list[dict[str, Any]]:
    """Time every step in each round, in the same order; return the medians and the ratios within rounds."""
    frames = list(event_stream(FILES))
    plain_bytes = HEADER.size + sum(RECORD.size + len(frame) for frame in frames)
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path, bare = Path(folder) / "run.vbus", Path(folder) / "bare"
        for _ in range(ROUNDS):
            steps: dict[str, Callable[[], object]] = {
                "synced": lambda: _write(path, frames[:SYNCED_FRAMES], SYNC_EVERY, sync=True),
                "write": lambda: _write(path, frames, BATCH, sync=False),
                "bare": lambda: _write_bare(bare, frames),
                "read": lambda: _read(path, len(frames)),
                "compress": lambda: compress_capture(path),
                "read zstd": lambda: _read(path, len(frames)),
            }
            for name, step in steps.items():
                started = perf_counter()
                step()
                times.setdefault(name, []).append(perf_counter() - started)
        small_bytes = path.stat().st_size

    def rates(what: str, name: str, goal: str = "") -> list[dict[str, Any]]:
        share = SYNCED_FRAMES / len(frames) if name == "synced" else 1.0
        seconds = middle(times[name])
        return [
            row(what, share * len(frames) / seconds, "events/s", goal),
            row("  that is", share * plain_bytes / seconds / MEGABYTE, "MB/s"),
        ]

    def ratio(name: str, other: str) -> float:
        return middle([a / b for a, b in zip(times[name], times[other], strict=True)])

    rows = [
        *rates(f"append + flush, {BATCH:,} at a time", "write"),
        row("  time / bare file.write of as many bytes", ratio("write", "bare"), "x"),
        *rates(f"append + fsync, {SYNC_EVERY} at a time", "synced"),
        *rates("read back, plain", "read"),
    ]
    if HAS_ZSTD:
        rows += [
            *rates("compress after closing", "compress"),
            row("  compressed / plain size", small_bytes / plain_bytes, "x"),
            *rates("read back, zstd", "read zstd"),
            row("  time / read back, plain", ratio("read zstd", "read"), "x"),
        ]
    return rows


def _write(path: Path, frames: list[bytes], batch: int, *, sync: bool) -> None:
    path.unlink(missing_ok=True)
    with CaptureWriter(path, SystemClock()) as capture:
        for at in range(0, len(frames), batch):
            capture.append(frames[at : at + batch])
            if sync:
                capture.sync()
            else:
                capture.flush()


def _write_bare(path: Path, frames: list[bytes]) -> None:
    """Write the same bytes without records, and sync once, as closing a capture does."""
    with path.open("wb") as file:
        for at in range(0, len(frames), BATCH):
            file.write(b"".join(frames[at : at + BATCH]))
            file.flush()
        os.fsync(file.fileno())


def _read(path: Path, expected: int) -> None:
    assert sum(len(batch) for batch in CaptureReader(path).batches()) == expected
