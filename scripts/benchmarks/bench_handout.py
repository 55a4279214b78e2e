"""Files handed out per second by the pool to eight idle workers over the real channel; no disk."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import zmq
from workload import child, middle, row

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.events import Device
from virnucpro_bus.serve import BusServer
from workers.coordinator import WorkStealingCoordinator
from workers.inputs import InputFile
from workers.launcher import HubSink
from workers.pool import WorkerPool
from workers.results import Placed

FILES = 100_000
DEVICES = 8
ROUNDS = 3


class NoStore:
    """Stands in for the results folder: what is measured is the hand-out, not the disk."""

    def new_attempt(self) -> str:
        return "/nowhere"

    def place(self, file: InputFile, attempt: str) -> Placed:
        return Placed(0, 0)

    def discard(self, attempt: str) -> None:
        pass


def measure() -> list[dict[str, Any]]:
    rates = [_round() for _ in range(ROUNDS)]
    return [row("files handed out, completed and journalled", middle(rates), "files/s", ">= 25,000")]


def _round() -> float:
    clock = SystemClock()
    devices = [Device(f"cpu:{number}", "CPU", number) for number in range(DEVICES)]
    files = [InputFile(f"f{n}.fa", Path(f"/f{n}.fa"), f"f{n}", 1000 + n, 1000 + n, False) for n in range(FILES)]
    with tempfile.TemporaryDirectory() as folder, BusServer(Path(folder), clock) as server:
        coordinator = WorkStealingCoordinator(devices, files, sink=HubSink(server, clock), clock=clock)
        pool = WorkerPool(server, coordinator, NoStore(), job="", options={}, clock=clock, warn=print)
        for slot in pool._slots:
            slot.epoch, slot.restart_at_ns = 1, 2**63
        half = DEVICES // 2
        desk = pool._desk.address, pool._desk.token
        with child("workers", *desk, 0, half) as one, child("workers", *desk, half, DEVICES - half) as two:
            for process in (one, two):
                process.stdout.readline()
            for process in (one, two):
                process.stdin.write("go\n")
                process.stdin.flush()
            poller = zmq.Poller()
            for source in (*server.hub.sockets(), pool.socket):
                poller.register(source, zmq.POLLIN)
            started = perf_counter()
            while coordinator.unsettled:
                poller.poll(50)
                server.hub.turn()
                pool.turn()
            elapsed = perf_counter() - started
            for _ in range(20):
                poller.poll(10)
                pool.turn()
        pool.close()
    return FILES / elapsed
