"""Benchmark of handing out files: how many per second the pool gives to eight idle workers over the real channel.

There are no results. The journal is in memory, to measure the hand-out alone, and on disk, where each turn waits.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

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

FILES = 100_000
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


def measure() -> list[dict[str, Any]]:
    """Measure several rounds with either journal."""
    memory, disk = ([_round(folder) for _ in range(ROUNDS)] for folder in (MEMORY, None))
    return [
        row("files handed out, completed and journalled", middle(memory), "files/s", ">= 25,000"),
        row("  with the journal on disk", middle(disk), "files/s"),
    ]


def _round(parent: str | None) -> float:
    clock = SystemClock()
    devices = [Device(f"cpu:{number}", "CPU", number) for number in range(DEVICES)]
    files = [InputFile(f"f{n}.fa", Path(f"/f{n}.fa"), f"f{n}", 1000 + n, 1000 + n, False) for n in range(FILES)]
    with tempfile.TemporaryDirectory(dir=parent) as folder, BusServer(Path(folder), clock) as server:
        coordinator = WorkStealingCoordinator(devices, files, sink=HubSink(server, clock), clock=clock)
        store = NoStore(Path(folder))
        pool = WorkerPool(Workplace(server, coordinator, store, "", {}, Limits(), clock, print))
        for slot in pool._slots:
            slot.epoch, slot.restart_at_ns = 1, 2**63
        half = DEVICES // 2
        channel = pool._dispatcher.address, pool._dispatcher.token
        with child("workers", *channel, 0, half) as one, child("workers", *channel, half, DEVICES - half) as two:
            for process in (one, two):
                process.line()
            for process in (one, two):
                process.go()
            poller = zmq.Poller()
            for source in (*server.hub.sockets(), *pool.sockets):
                poller.register(source, zmq.POLLIN)
            started = perf_counter()
            while coordinator.unsettled:
                poller.poll(50)
                server.hub.poll()
                pool.poll()
            elapsed = perf_counter() - started
            for _ in range(20):
                poller.poll(10)
                pool.poll()
        pool.close()
    return FILES / elapsed
