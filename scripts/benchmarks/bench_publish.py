"""Benchmark of publishing one event: what users call, against bare sends of the same bytes and a managed queue.

The bare send is the one that the program itself uses (`sockets.raw_send`), beside the `Socket.send` that other
programs use. None of these waits, so their seconds are those of the processor, which other programs disturb least;
a managed queue waits for its server, so its seconds are those of the clock.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable
from time import sleep, thread_time
from typing import Any

import zmq
from workload import DEVICES, child, middle, per_item, row

from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.sockets import DONTWAIT, raw_send

BURST = 5_000
ROUNDS = 60
QUEUE_ITEMS = 500
RAW, WRAPPED, PUBLISH, COMPLETED = "bare send", "Socket.send", "publish", "file_completed"


def measure() -> list[dict[str, Any]]:
    """Measure all of them in the same process."""
    with tempfile.TemporaryDirectory() as folder:
        address = f"ipc://{folder}/sink"
        with child("sink", address) as sink:
            sink.line()
            seconds = _bursts(address)
    queue = middle(_managed_queue())

    def ratio(name: str, other: str, goal: str = "") -> dict[str, Any]:
        ratios = [a / b for a, b in zip(seconds[name], seconds[other], strict=True)]
        return row(f"{name} / {other} (bursts in turn)", middle(ratios), "x", goal)

    return [
        *(row(f"{name}, median", middle(each) * 1e6, "us") for name, each in seconds.items()),
        row("multiprocessing.Manager().Queue().put, median", queue * 1e6, "us"),
        ratio(COMPLETED, RAW, "<= 2.5"),
        ratio(PUBLISH, RAW, "<= 1.8"),
        ratio(COMPLETED, WRAPPED),
        ratio(PUBLISH, WRAPPED),
        row("Manager.Queue / file_completed", queue / middle(seconds[COMPLETED]), "x"),
        row("Manager.Queue / publish", queue / middle(seconds[PUBLISH]), "x", ">= 25"),
    ]


def _bursts(address: str) -> dict[str, list[float]]:
    """Time bursts of each in turn. Each fits into the pipe, which the sink empties in between."""
    context = zmq.Context()
    bare = context.socket(zmq.XPUB)
    bare.setsockopt(zmq.XPUB_NODROP, 1)
    bare.setsockopt(zmq.SNDHWM, 10_000)
    bare.connect(address)
    bare.recv()
    bus = Publisher(address, device=Device(DEVICES[0]), source="bench", heartbeat_seconds=None)
    event = bus.completion("sample_17.fa", sequences=250, duration_seconds=3.2, attempt=1)
    frame = bus.prepare(event)

    def send_raw() -> None:
        send_one = raw_send(bare)
        for _ in range(BURST):
            send_one(frame, DONTWAIT)

    def send_wrapped() -> None:
        send_one = bare.send
        for _ in range(BURST):
            send_one(frame, zmq.DONTWAIT)

    def publish() -> None:
        publish_one = bus.publish
        for _ in range(BURST):
            publish_one(event)

    def file_completed() -> None:
        complete_one = bus.file_completed
        for _ in range(BURST):
            complete_one("sample_17.fa", sequences=250, duration_seconds=3.2, attempt=1)

    ways: dict[str, Callable[[], None]] = {
        RAW: send_raw,
        WRAPPED: send_wrapped,
        PUBLISH: publish,
        COMPLETED: file_completed,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            started = thread_time()
            way()
            seconds[name].append((thread_time() - started) / BURST)
            sleep(0.02)
    bus.close()
    context.destroy(linger=0)
    return seconds


def _managed_queue() -> list[float]:
    item = ("file.completed", DEVICES[0], "sample_17.fa", 1, 250, 3.2)
    with multiprocessing.get_context("spawn").Manager() as manager:
        queue = manager.Queue()

        def put() -> None:
            for _ in range(QUEUE_ITEMS):
                queue.put(item)

        return [per_item(put, QUEUE_ITEMS) for _ in range(10)]
