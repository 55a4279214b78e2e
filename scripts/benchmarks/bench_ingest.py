"""Benchmark of a monitor's intake (receive, decode, check, fold) against a bare receive loop.

All messages have arrived before a clock starts, so that neither loop waits for a sender, and the seconds are those
of the processor. The events are those of a planned run, of which the fold keeps every file.
"""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time
from typing import Any

import zmq
from workload import middle, planned_stream, row

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.sockets import drain, raw_send
from virnucpro_bus.sources.subscriber import FRAMES_PER_RECEIVE

FILES = 25_000
ROUNDS = 9
ADDRESS = "inproc://events"
"""Within this process a message that is sent has arrived."""


def measure() -> list[dict[str, Any]]:
    """Measure both loops in turn on the same stream."""
    frames = list(planned_stream(FILES))
    bare: list[float] = []
    ours: list[float] = []
    with zmq.Context() as context, context.socket(zmq.XPUB) as sender, context.socket(zmq.SUB) as source:
        for each in (sender, source):
            each.setsockopt(zmq.SNDHWM, 0)
            each.setsockopt(zmq.RCVHWM, 0)
        sender.bind(ADDRESS)
        source.subscribe(b"")
        source.connect(ADDRESS)
        sender.recv()
        send = raw_send(sender)
        for _ in range(ROUNDS):
            for seconds, loop in ((bare, _receive_only), (ours, _ingest)):
                for frame in frames:
                    send(frame, 0)
                seconds.append(_cpu_seconds(loop, source, len(frames)) / len(frames))
    return [
        row("receive, decode, check, fold: processor time of an event", 1e9 * middle(ours), "ns"),
        row("bare receive loop: processor time of an event", 1e9 * middle(bare), "ns"),
        row("ingest / bare receive", middle([a / b for a, b in zip(ours, bare, strict=True)]), "x", "<= 6.6"),
        row("ingest of 1,000 events a second, of one core", 100 * 1_000 * middle(ours), "%", "<= 1"),
    ]


def _cpu_seconds(loop: Callable[[zmq.Socket[bytes], int], None], source: zmq.Socket[bytes], frames: int) -> float:
    started = thread_time()
    loop(source, frames)
    return thread_time() - started


def _receive_only(source: zmq.Socket[bytes], frames: int) -> None:
    receive = source.recv
    for _ in range(frames):
        receive()


def _ingest(source: zmq.Socket[bytes], frames: int) -> None:
    fleet = FleetState(SystemClock())
    remaining = frames
    while remaining:
        source.poll()
        batch = drain(source, FRAMES_PER_RECEIVE)
        fleet.feed(batch, 0)
        remaining -= len(batch)
    totals = fleet.get_totals()
    assert totals["events_received"] == frames, totals
