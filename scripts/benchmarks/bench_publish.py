"""Benchmark of publishing one event, against a bare send of the same bytes and against a managed queue."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from typing import Any

import zmq
from workload import child, middle, per_item, row

from virnucpro_bus.publish.publisher import Publisher

BURST = 2_000
ROUNDS = 60
QUEUE_ITEMS = 500


def measure() -> list[dict[str, Any]]:
    """Measure all three in the same process."""
    with tempfile.TemporaryDirectory() as folder:
        address = f"ipc://{folder}/sink"
        with child("sink", address) as sink:
            sink.line()
            ours, raw = _bursts(address)
    queue = _managed_queue()
    ratios = [a / b for a, b in zip(ours, raw, strict=True)]
    return [
        row("publish, median", middle(ours) * 1e6, "us"),
        row("bare send of the same bytes, median", middle(raw) * 1e6, "us"),
        row("multiprocessing.Manager().Queue().put, median", middle(queue) * 1e6, "us"),
        row("publish / bare send (bursts in turn)", middle(ratios), "x", "<= 2.5"),
        row("Manager.Queue / publish", middle(queue) / middle(ours), "x", ">= 25"),
    ]


def _bursts(address: str) -> tuple[list[float], list[float]]:
    """Time bursts of both in turn. Each fits into the pipe, which the sink empties in between."""
    context = zmq.Context()
    bare = context.socket(zmq.XPUB)
    bare.setsockopt(zmq.XPUB_NODROP, 1)
    bare.setsockopt(zmq.SNDHWM, 10_000)
    bare.connect(address)
    bare.recv()
    bus = Publisher(address, source="bench", heartbeat_seconds=None)
    bus._device_key = "GPU-8a4f6f8e-1c9d-4d5e-9f6a-1b2c3d4e5f60"
    frame = bus.prepare(bus.completion("sample_17.fa", sequences=250, duration_seconds=3.2, attempt=1))

    def publish() -> None:
        event = bus.completion("sample_17.fa", sequences=250, duration_seconds=3.2, attempt=1)
        publish_one = bus.publish
        for _ in range(BURST):
            publish_one(event)

    def send() -> None:
        send_one = bare.send
        for _ in range(BURST):
            send_one(frame, zmq.DONTWAIT)

    ours, raw = [], []
    for _ in range(ROUNDS):
        raw.append(per_item(send, BURST))
        time.sleep(0.02)
        ours.append(per_item(publish, BURST))
        time.sleep(0.02)
    bus.close()
    context.destroy(linger=0)
    return ours, raw


def _managed_queue() -> list[float]:
    item = ("file.completed", "GPU-8a4f6f8e-1c9d-4d5e-9f6a-1b2c3d4e5f60", "sample_17.fa", 1, 250, 3.2)
    with multiprocessing.get_context("spawn").Manager() as manager:
        queue = manager.Queue()

        def put() -> None:
            for _ in range(QUEUE_ITEMS):
                queue.put(item)

        return [per_item(put, QUEUE_ITEMS) for _ in range(10)]
