"""Benchmark of handing out files: how many per second the pool gives to eight idle workers over the real channel.

There are no results. The journal is in memory, to measure the hand-out alone, and on disk, where each turn waits.
The floor is a bare ROUTER socket that answers the same workers with the same messages, and does nothing else.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any, NamedTuple

import zmq
from workload import child, middle, row

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.hub.bus_server import BusServer, HubSink
from workers.commit.placement import Placement
from workers.commit.result_store import ResultStore
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.desk.executor import Workplace
from workers.desk.limits import Limits
from workers.inputs.input_file import InputFile
from workers.pool.pool import WorkerPool
from workers.protocol import Answer, Task, decode_request, encode_answer

FILES = 40_000
DEVICES = 8
ROUNDS = 3
MEMORY = "/dev/shm"


class NoStore(ResultStore):
    """Replaces the results folder, because the hand-out is measured, not the disk."""

    def new_attempt(self) -> str:
        """Return the name of a folder that does not exist."""
        return "/nowhere"

    def plan(self, file: InputFile, attempt: str) -> Placement:
        """Return the names of two results."""
        return Placement("", (f"{file.stem}.a", f"{file.stem}.b"))

    def place(self, placement: Placement, attempt: str) -> None:
        """Place no results."""

    def remove_replaced(self, file: InputFile, placement: Placement) -> None:
        """Remove nothing."""

    def sync(self) -> None:
        """Do nothing."""

    def discard(self, attempt: str) -> None:
        """Do nothing."""


class Rate(NamedTuple):
    """How fast files are handed out."""

    files: float
    """A second."""
    cpu_us: float
    """Processor time of the thread that answers, in microseconds a file."""


def measure() -> list[dict[str, Any]]:
    """Measure several rounds of the floor and of either journal, in turn."""
    floor, memory, disk = [], [], []
    for _ in range(ROUNDS):
        floor.append(_floor())
        memory.append(_round(MEMORY))
        disk.append(_round(None))
    return [
        row(
            "floor: a bare ROUTER that answers the same workers", middle([each.files for each in floor]), "files/s"
        ),
        row("  processor time of the thread that answers", middle([each.cpu_us for each in floor]), "us a file"),
        *_beside_floor("files handed out, completed and journalled", memory, floor, ">= 0.5"),
        *_beside_floor("the same with the journal on disk", disk, floor),
    ]


def _beside_floor(what: str, ours: list[Rate], floor: list[Rate], goal: str = "") -> list[dict[str, Any]]:
    pairs = list(zip(ours, floor, strict=True))
    return [
        row(what, middle([each.files for each in ours]), "files/s"),
        row("  / floor", middle([each.files / least.files for each, least in pairs]), "x", goal),
        row("  processor time of the thread that answers", middle([each.cpu_us for each in ours]), "us a file"),
        row("    / floor", middle([each.cpu_us / least.cpu_us for each, least in pairs]), "x"),
    ]


def _round(parent: str | None) -> Rate:
    """Return the rate of a pool whose journal lies in `parent`; None: on disk."""
    clock = SystemClock()
    devices = [Device(f"cpu:{number}", "CPU", number) for number in range(DEVICES)]
    files = [InputFile(f"f{n}.fa", Path(f"/f{n}.fa"), f"f{n}", 1000 + n, 1000 + n, False) for n in range(FILES)]
    with tempfile.TemporaryDirectory(dir=parent) as folder, BusServer(Path(folder), clock) as server:
        coordinator = WorkStealingCoordinator(devices, files, sink=HubSink(server, clock), clock=clock)
        store = NoStore(Path(folder))
        pool = WorkerPool(Workplace(server, coordinator, store, "", {}, Limits(), clock, print))
        for slot in pool._slots:
            # Answers are for workers that are alive; those that ask are in another process.
            slot.epoch, slot.process = 1, subprocess.Popen(["sleep", "600"], process_group=0)
        poller = zmq.Poller()
        for source in (*server.hub.sockets(), *pool.sockets):
            poller.register(source, zmq.POLLIN)
        with _idle_workers(pool._dispatcher.address, pool._dispatcher.token):
            started, cpu = perf_counter(), thread_time()
            while coordinator.unsettled:
                server.hub.poll(dict(poller.poll(50)))
                pool.poll()
            rate = _rate(perf_counter() - started, thread_time() - cpu)
            for _ in range(20):
                poller.poll(10)
                pool.poll()
        pool.close()
    return rate


def _floor() -> Rate:
    """Return the rate of a socket that receives the requests and answers each of them at once."""
    with (
        tempfile.TemporaryDirectory(dir=MEMORY) as folder,
        zmq.Context() as context,
        context.socket(zmq.ROUTER) as channel,
    ):
        channel.setsockopt(zmq.LINGER, 0)
        channel.bind(f"ipc://{folder}/channel")
        with _idle_workers(f"ipc://{folder}/channel", "token"):
            started, cpu = perf_counter(), thread_time()
            for remaining in range(FILES, -DEVICES, -1):
                peer, message = channel.recv_multipart()
                tasks = (Task(f"f{remaining}.fa", b"/f.fa", b"/nowhere", 1),) if remaining > 0 else None
                answer = Answer(decode_request(message).number, tasks)
                channel.send_multipart([peer, encode_answer(answer)])
            return _rate(perf_counter() - started, thread_time() - cpu)


def _rate(seconds: float, cpu_seconds: float) -> Rate:
    return Rate(FILES / seconds, 1e6 * cpu_seconds / FILES)


@contextmanager
def _idle_workers(address: str, token: str) -> Iterator[None]:
    """Have workers in two processes request their files meanwhile."""
    half = DEVICES // 2
    with ExitStack() as stack:
        clients = [stack.enter_context(child("workers", address, token, first, half)) for first in (0, half)]
        for each in clients:
            each.line()
        for each in clients:
            each.go()
        yield
