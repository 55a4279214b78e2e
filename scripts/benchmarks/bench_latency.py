"""Benchmark of latency from publish to fold at 1,000 events per second, through our hub and through zmq.proxy."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import zmq
from workload import Peer, child, middle, row

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.vocabulary import FileCompleted
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.run_folder import read_addresses
from virnucpro_bus.sockets import drain
from virnucpro_bus.sources.subscriber import FRAMES_PER_RECEIVE, Subscriber

EVENTS = 3_000
ROUNDS = 5
TURN_SECONDS = 0.1
CLOCK = SystemClock()
Receive = Callable[[], tuple[list[bytes], int | list[int]]]


def measure() -> list[dict[str, Any]]:
    """Measure both in turn, each round in processes of its own."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_through_the_hub())
        theirs.append(_through_the_proxy())
    rows = []
    for name, share in (("p50", 0.50), ("p99", 0.99)):
        at = int(EVENTS * share)
        hub, proxy = [times[at] for times in ours], [times[at] for times in theirs]
        ratios = [a / b for a, b in zip(hub, proxy, strict=True)]
        rows += [
            row(f"hub: publish to folded, {name}; {_list_raw(hub)}", middle(hub), "us"),
            row(f"zmq.proxy: publish to folded, {name}; {_list_raw(proxy)}", middle(proxy), "us"),
            row(f"  hub / zmq.proxy, {name} of the same round", middle(ratios), "x"),
        ]
    return rows


def _list_raw(figures: list[float]) -> str:
    return "raw " + " ".join(f"{figure:.0f}" for figure in figures)


def _through_the_hub() -> list[float]:
    with tempfile.TemporaryDirectory() as folder, child("hub", f"{folder}/run") as hub:
        publish, _ = hub.line().split()
        history = read_addresses(Path(folder) / "run").history
        with child("pace", publish, EVENTS) as publisher, closing(Subscriber(history, CLOCK)) as source:
            publisher.line()
            while source.behind:
                source.receive(0.0)
            return _latencies(publisher, lambda: source.receive(TURN_SECONDS))


def _through_the_proxy() -> list[float]:
    with tempfile.TemporaryDirectory() as folder, zmq.Context() as context, context.socket(zmq.SUB) as source:
        publish, subscribe = f"ipc://{folder}/in", f"ipc://{folder}/out"
        with child("proxy", publish, subscribe) as forwarder:
            forwarder.line()
            source.subscribe(b"")
            source.connect(subscribe)
            with child("pace", publish, EVENTS) as publisher:
                publisher.line()

                def receive() -> tuple[list[bytes], int]:
                    source.poll(int(TURN_SECONDS * 1000))
                    return drain(source, FRAMES_PER_RECEIVE), CLOCK.mono_ns()

                return _latencies(publisher, receive)


def _latencies(publisher: Peer, receive: Receive) -> list[float]:
    """Return the microseconds from the time stamp of each event until it is folded, sorted."""
    fleet = FleetState(CLOCK)
    times: list[float] = []
    publisher.go()
    while len(times) < EVENTS:
        frames, received_ns = receive()
        fleet.feed(frames, received_ns)
        folded_ns = CLOCK.mono_ns()
        envelopes = [envelope for envelope in map(decode, frames) if isinstance(envelope.event, FileCompleted)]
        times += [(folded_ns - envelope.mono_ns) / 1000 for envelope in envelopes]
    return sorted(times)
