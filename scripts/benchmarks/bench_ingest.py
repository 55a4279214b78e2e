"""Benchmark of a monitor's intake (receive, decode, check, fold) against a bare receive loop."""

from __future__ import annotations

import tempfile
from time import perf_counter
from typing import Any

import zmq
from workload import child, middle, row

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.sockets import drain
from virnucpro_bus.sources.subscriber import FRAMES_PER_RECEIVE

FILES = 50_000
ROUNDS = 5


def measure() -> list[dict[str, Any]]:
    """Measure both loops in turn on the same stream."""
    bare, ours = [], []
    with tempfile.TemporaryDirectory() as folder:
        context = zmq.Context()
        source = context.socket(zmq.SUB)
        source.setsockopt(zmq.RCVHWM, 0)
        source.bind(f"ipc://{folder}/events")
        source.subscribe(b"")
        with child("flood", f"ipc://{folder}/events", FILES, 0) as sender:
            frames = int(sender.line())
            for _ in range(ROUNDS):
                sender.go()
                bare.append(_receive_only(source, frames) / frames)
                sender.go()
                ours.append(_ingest(source, frames) / frames)
        context.destroy(linger=0)
    return [
        row("receive, decode, check, fold", 1e-6 / middle(ours), "M events/s"),
        row("bare receive loop", 1e-6 / middle(bare), "M events/s"),
        row("ingest / bare receive", middle([a / b for a, b in zip(bare, ours, strict=True)]), "x", ">= 0.5"),
    ]


def _receive_only(source: zmq.Socket[bytes], frames: int) -> float:
    source.poll()
    receive = source.recv
    started = perf_counter()
    for _ in range(frames):
        receive()
    return perf_counter() - started


def _ingest(source: zmq.Socket[bytes], frames: int) -> float:
    fleet = FleetState(SystemClock())
    source.poll()
    started = perf_counter()
    remaining = frames
    while remaining:
        source.poll()
        batch = drain(source, FRAMES_PER_RECEIVE)
        fleet.feed(batch, 0)
        remaining -= len(batch)
    elapsed = perf_counter() - started
    totals = fleet.get_totals()
    assert totals["events_received"] == frames, totals
    return elapsed
