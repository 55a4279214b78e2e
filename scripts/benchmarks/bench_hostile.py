"""Benchmark of hostile input, BENCH_MILLIONS million mutated and random frames: how many are refused, and why.

Nine tenths go through Deduplicator and FleetState in processes of their own, one tenth over a socket into a hub.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import zmq
from workload import child, millions, resident_bytes, row

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.hub.bus_server import BusServer

DEFAULT_MILLIONS = 10
PROCESSES = 2
WARM_UP_FRAMES = 100_000
MEBIBYTE = 2**20
GROWTH = "<= 16"
NO_REPORT = '{"refused": {}, "accepted": 0, "grown_bytes": 0}'


def measure() -> list[dict[str, Any]]:
    """Measure both ways; return the counts by reason and the growth of memory."""
    frames = millions(DEFAULT_MILLIONS) * 1_000_000
    wired = frames // 10
    started = perf_counter()
    reports = _in_process((frames - wired) // PROCESSES)
    refused, accepted, grown_bytes = _through_a_hub(wired)
    seconds = perf_counter() - started
    reasons = sum((Counter(each["refused"]) for each in reports), Counter(refused))
    accepted += sum(each["accepted"] for each in reports)
    growth = max(each["grown_bytes"] for each in reports)
    return [
        row("hostile frames", frames, "frames"),
        row("  generated, sent and checked", frames / seconds, "frames/s"),
        row("  crashes", sum(each["status"] != 0 for each in reports), "", "0"),
        *(row(f"  refused: {reason}", count, "frames") for reason, count in sorted(reasons.items())),
        row("  accepted: valid events after all", accepted, "frames"),
        row("  repeated: the event was accepted before", frames - reasons.total() - accepted, "frames"),
        row("memory growth of Deduplicator and FleetState, larger process", growth / MEBIBYTE, "MiB", GROWTH),
        row("memory growth of a process with a hub", grown_bytes / MEBIBYTE, "MiB", GROWTH),
    ]


def _in_process(frames: int) -> list[dict[str, Any]]:
    """Run each process on its share; return their reports, with their exit statuses."""
    reports = []
    with ExitStack() as stack:
        victims = [stack.enter_context(child("suffer", frames, seed, WARM_UP_FRAMES)) for seed in range(PROCESSES)]
        for victim in victims:
            line = victim.line() or NO_REPORT
            reports.append({**json.loads(line), "status": victim.wait()})
    return reports


def _through_a_hub(frames: int) -> tuple[Counter[str], int, int]:
    """Send frames into a hub; return refusals by reason, accepted frames, and growth in bytes after warm-up."""
    with (
        tempfile.TemporaryDirectory() as folder,
        BusServer(Path(folder) / "run", SystemClock()) as server,
        child("harm", server.hub.addresses.publish, frames, PROCESSES) as sender,
    ):
        hub, poller = server.hub, zmq.Poller()
        for source in hub.sockets():
            poller.register(source, zmq.POLLIN)
        taken = warm_bytes = 0
        while taken < frames:
            poller.poll(1000)
            assert sender.poll() in (None, 0)
            taken += hub.poll()
            if not warm_bytes and taken >= WARM_UP_FRAMES:
                warm_bytes = resident_bytes(os.getpid())
        return hub.refused.copy(), hub.accepted, resident_bytes(os.getpid()) - warm_bytes
