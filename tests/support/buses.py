"""Real sockets for tests; every context is closed at the end."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import zmq

from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import WorkerStopped
from virnucpro_bus.hub.hub import Hub
from virnucpro_bus.run_folder import BusAddresses
from virnucpro_bus.sockets import drain

PATIENCE_MS = 5_000


def addresses_in(folder: Path, host: str = "node") -> BusAddresses:
    """Addresses of sockets in `folder`."""
    publish, subscribe, history = (f"ipc://{folder}/{name}" for name in ("publish", "subscribe", "history"))
    return BusAddresses("run-1", host, os.getpid(), publish, subscribe, history)


@contextmanager
def hub_in(folder: Path, workers: str | None = None, host: str = "node") -> Iterator[Hub]:
    """A hub with its sockets and capture (run.vbus) in `folder`; the test calls `turn`.

    `workers` is the address for the workers of a run; None: it is no run's.
    """
    clock = SystemClock()
    hub = Hub(addresses_in(folder, host), CaptureWriter(folder / "run.vbus", clock), clock, workers)
    try:
        yield hub
    finally:
        hub.close()


class Turned(Protocol):
    """What has sockets to wait for and a loop to be called in: a hub, a relay."""

    def sockets(self) -> list[zmq.Socket[bytes]]: ...

    def poll(self) -> object: ...


@contextmanager
def turned_by_a_thread(turned: Turned) -> Iterator[None]:
    """A thread calls its `poll` until the end."""
    stopped = threading.Event()

    def serve() -> None:
        poller = zmq.Poller()
        for source in turned.sockets():
            poller.register(source, zmq.POLLIN)
        while not stopped.is_set():
            poller.poll(10)
            turned.poll()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


@contextmanager
def served_hub(folder: Path) -> Iterator[Hub]:
    """A hub whose loop runs in a thread until the end; only its counters are for the test."""
    with hub_in(folder) as hub, turned_by_a_thread(hub):
        yield hub


@contextmanager
def peer(kind: int, address: str, *, bind: bool = False) -> Iterator[zmq.Socket[bytes]]:
    """A plain socket that gives up after 5 s; a SUB hears everything."""
    context = zmq.Context()
    try:
        made = context.socket(kind)
        made.setsockopt(zmq.RCVTIMEO, PATIENCE_MS)
        made.setsockopt(zmq.SNDTIMEO, PATIENCE_MS)
        made.setsockopt(zmq.RCVHWM, 0)
        made.setsockopt(zmq.SNDHWM, 0)
        if kind == zmq.SUB:
            made.subscribe(b"")
        (made.bind if bind else made.connect)(address)
        yield made
    finally:
        context.destroy(linger=0)


Heard = queue.SimpleQueue[Envelope]


@contextmanager
def listening(address: str) -> Iterator[Heard]:
    """A plain SUB that stands where a hub would; gives the queue of what it hears.

    It is served by a thread: a socket that nobody serves does not even subscribe.
    """
    heard: Heard = queue.SimpleQueue()
    stopped = threading.Event()
    with peer(zmq.SUB, address, bind=True) as bound:

        def serve() -> None:
            while not stopped.is_set():
                bound.poll(10)
                for frame in drain(bound, 10_000):
                    envelope = decode(frame)
                    assert isinstance(envelope, Envelope)
                    heard.put(envelope)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield heard
        finally:
            stopped.set()
            thread.join()


def hear(heard: Heard, until: Callable[[Envelope], bool]) -> list[Envelope]:
    """The events that have come or come in, up to and with the first for which `until` holds."""
    events: list[Envelope] = []
    while not events or not until(events[-1]):
        events.append(heard.get(timeout=PATIENCE_MS / 1000))
    return events


def goodbye(envelope: Envelope) -> bool:
    """Whether it is the last event of a worker's stream."""
    return isinstance(envelope.event, WorkerStopped)


def turn_until(hub: Hub, done: Callable[[], object]) -> None:
    """Turn the hub until `done` holds; fails after 5 s."""

    def turned() -> object:
        hub.poll()
        return done()

    wait_until(turned)


def wait_until(done: Callable[[], object]) -> None:
    """Wait for what another thread or process is to bring about; fails after 5 s."""
    clock = SystemClock()
    give_up_ns = clock.mono_ns() + PATIENCE_MS * 1_000_000
    while not done():
        assert clock.mono_ns() < give_up_ns, "it did not come to that"
        time.sleep(0.001)
