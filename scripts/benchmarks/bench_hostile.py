"""Mutated and random frames by the million, BENCH_MILLIONS of them: what is refused and why, and what it costs.

Nine tenths go through Deduplicator and FleetState in their own processes, the rest over the wire into a real hub.
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
NOTHING_TOLD = '{"refused": {}, "accepted": 0, "grown_bytes": 0}'


def measure() -> list[dict[str, Any]]:
    frames = millions(DEFAULT_MILLIONS) * 1_000_000
    wired = frames // 10
    started = perf_counter()
    told = _in_process((frames - wired) // PROCESSES)
    refused, accepted, grown_bytes = _through_a_hub(wired)
    seconds = perf_counter() - started
    reasons = sum((Counter(each["refused"]) for each in told), Counter(refused))
    accepted += sum(each["accepted"] for each in told)
    growth = max(each["grown_bytes"] for each in told)
    return [
        row("hostile frames", frames, "frames"),
        row("  made, sent, refused", frames / seconds, "frames/s"),
        row("  crashes", sum(each["status"] != 0 for each in told), "", "0"),
        *(row(f"  refused: {reason}", count, "frames") for reason, count in sorted(reasons.items())),
        row("  let in: events all the same", accepted, "frames"),
        row("  let in before: the same event once more", frames - reasons.total() - accepted, "frames"),
        row("growth of a process with Deduplicator and FleetState, the larger", growth / MEBIBYTE, "MiB", GROWTH),
        row("growth of a process with a hub", grown_bytes / MEBIBYTE, "MiB", GROWTH),
    ]


def _in_process(frames: int) -> list[dict[str, Any]]:
    """What each of the processes tells of its share, with its exit status."""
    told = []
    with ExitStack() as stack:
        victims = [stack.enter_context(child("suffer", frames, seed, WARM_UP_FRAMES)) for seed in range(PROCESSES)]
        for victim in victims:
            line = victim.line() or NOTHING_TOLD
            told.append({**json.loads(line), "status": victim.wait()})
    return told


def _through_a_hub(frames: int) -> tuple[Counter[str], int, int]:
    """Refused by reason, let in, and how much the hub's process has grown (warm-up excepted)."""
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
