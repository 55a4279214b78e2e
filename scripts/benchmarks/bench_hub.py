"""Benchmark of the hub (check, journal, forward, refuse hostile frames) against zmq.proxy, which only forwards."""

from __future__ import annotations

import tempfile
from typing import Any

from workload import child, middle, row

FILES = 200_000
"""Enough for either to take more than half a second. In shorter rounds it decides which threads share a core: the
proxy was between 0.66 and 1.2 M events/s in rounds of a fifth of a second.
"""
HOSTILE_EVERY = 100
ROUNDS = 5


def measure() -> list[dict[str, Any]]:
    """Measure both forwarders in turn, each round in processes of its own."""
    ours, theirs, lost, hostile = [], [], 0, 0
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            publish, subscribe = f"ipc://{folder}/in", f"ipc://{folder}/out"
            with child("proxy", publish, subscribe) as forwarder:
                forwarder.line()
                rate, _, _ = _through(publish, subscribe, welcome=False)
                theirs.append(rate)
        with tempfile.TemporaryDirectory() as folder, child("hub", f"{folder}/run") as forwarder:
            publish, subscribe = forwarder.line().split()
            rate, missing, accepted = _through(publish, subscribe, welcome=True)
            ours.append(rate)
            lost += missing
            hostile += accepted
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return [
        row("hub: check, journal, forward", middle(ours) / 1e6, "M events/s"),
        row("zmq.proxy", middle(theirs) / 1e6, "M events/s"),
        row("hub / zmq.proxy", middle(ratios), "x", ">= 0.35"),
        row(f"  lowest of {ROUNDS}", min(ratios), "x", ">= 0.35"),
        row("events lost by the hub, all rounds", lost, "events", "0"),
        row("hostile frames accepted, all rounds", hostile, "frames", "0"),
    ]


def _through(publish: str, subscribe: str, *, welcome: bool) -> tuple[float, int, int]:
    """Send the stream through a forwarder; return events per second, lost events, and hostile frames received."""
    with child("flood", publish, FILES, HOSTILE_EVERY) as sender:
        sent = int(sender.line())
        good = sent - len(range(0, sent, HOSTILE_EVERY + 1))
        with child("count", subscribe, sent, welcome) as receiver:
            receiver.line()
            sender.go()
            received, hostile, seconds = receiver.line().split()
    arrived = int(received) - int(hostile)
    return arrived / float(seconds), good - arrived, int(hostile)
