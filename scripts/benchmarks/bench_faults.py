"""Benchmark of publishing while something else is wrong: p50 and p99 at one event per millisecond.

Everything runs on a small disk of its own, where the system permits one; otherwise no disk is filled.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from time import perf_counter_ns, sleep
from typing import Any

import zmq
from workload import Peer, child, middle, row

from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.publish.publisher import Publisher

EVENTS = 2_000
PAUSE_SECONDS = 0.001
ROUNDS = 3
CORES = 2
FRAME_BYTES = 120
LONGER_THAN_THE_PIPE = 25_000
"""Events that fill the pipe (10,000), the kernel's buffer, and part of the spool."""
Fault = Callable[[], AbstractContextManager[object]]
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
MOUNT = 'mount -t tmpfs -o size=64m none "$0" && exec "$@"'


def measure() -> list[dict[str, Any]]:
    """Measure undisturbed and under each fault in turn, several times; return the medians of the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        on_small_disk = [*NAMESPACE, "sh", "-c", MOUNT, folder]
        trial = [*on_small_disk, "true"]
        if shutil.which("unshare") is None or subprocess.run(trial, capture_output=True).returncode:
            return [
                *_measure(folder, small_disk=False),
                row("disk full: not measured, no small disk is permitted here", 0, ""),
            ]
        command = [*on_small_disk, sys.executable, __file__, folder]
        ran = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        rows: list[dict[str, Any]] = json.loads(ran.stdout)
        return rows


def _measure(folder: str, *, small_disk: bool) -> list[dict[str, Any]]:
    p50: dict[str, list[float]] = {}
    p99: dict[str, list[float]] = {}
    with (
        child("hub", f"{folder}/run") as hub,
        _monitor(f"{folder}/run", hub) as (publish, monitor),
        Publisher(publish, device=Device("cpu:0"), source="bench") as bus,
    ):
        faults: dict[str, Fault] = {
            "undisturbed": nullcontext,
            "hub stopped": lambda: _stopped(hub),
            "hub stopped, spool in use": lambda: _stopped(hub, bus),
            "monitor stopped": lambda: _stopped(monitor),
            "both cores busy": _busy,
        }
        if small_disk:
            faults["capture's disk full"] = lambda: _full(Path(folder))
        event = bus.completion("sample_17.fa", sequences=250, duration_seconds=3.2, attempt=1)
        for _ in range(ROUNDS):
            for name, fault in faults.items():
                with fault():
                    times = _time_slowly(partial(bus.publish, event))
                p50.setdefault(name, []).append(times[EVENTS // 2])
                p99.setdefault(name, []).append(times[EVENTS * 99 // 100])
                sleep(1.0)  # the queues drain meanwhile
    rows = []
    for name in faults:
        calm = [a / b for a, b in zip(p99[name], p99["undisturbed"], strict=True)]
        rows.append(row(f"publish p50, {name}", middle(p50[name]), "us"))
        rows.append(row(f"publish p99, {name}; {_list_raw(p99[name])}", middle(p99[name]), "us", "<= 100"))
        if name != "undisturbed":
            rows.append(row("  p99 / undisturbed p99 of the same round", middle(calm), "x", "<= 1.5"))
    rows.append(row("p99 of a bare send of as many bytes, both cores busy", _bare_send(), "us"))
    return rows


def _bare_send() -> float:
    """Return the p99 of ZeroMQ's own send on busy cores: the part of the figure above that is not ours."""
    with tempfile.TemporaryDirectory() as folder, child("sink", f"ipc://{folder}/sink") as sink:
        sink.line()
        context = zmq.Context()
        bare = context.socket(zmq.XPUB)
        bare.setsockopt(zmq.XPUB_NODROP, 1)
        bare.connect(f"ipc://{folder}/sink")
        bare.recv()
        with _busy():
            times = _time_slowly(partial(bare.send, bytes(FRAME_BYTES), zmq.DONTWAIT))
        context.destroy(linger=0)
    return times[EVENTS * 99 // 100]


def _list_raw(figures: list[float]) -> str:
    return "raw " + " ".join(f"{figure:.1f}" for figure in figures)


def _time_slowly(action: Callable[[], object]) -> list[float]:
    """Run `action` once per millisecond; return the microseconds that each call took, sorted."""
    times = []
    for _ in range(EVENTS):
        sleep(PAUSE_SECONDS)
        started = perf_counter_ns()
        action()
        times.append((perf_counter_ns() - started) / 1000)
    return sorted(times)


@contextmanager
def _monitor(run_dir: str, hub: Peer) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a monitor on the hub; yield the hub's address for publishers, and the monitor."""
    publish, _ = hub.line().split()
    command = [sys.executable, "-m", "virnucpro_bus", "monitor", run_dir, "--json"]
    monitor = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert monitor.stdout is not None
    try:
        monitor.stdout.readline()
        yield publish, monitor
    finally:
        monitor.kill()
        monitor.wait()
        monitor.stdout.close()


@contextmanager
def _stopped(process: subprocess.Popen[Any], bus: Publisher | None = None) -> Iterator[None]:
    """Stop the process meanwhile; with `bus`, have its spool in use from the beginning."""
    process.send_signal(signal.SIGSTOP)
    try:
        if bus is not None:
            event = bus.completion("sample_17.fa", sequences=250, duration_seconds=3.2, attempt=1)
            for _ in range(LONGER_THAN_THE_PIPE):
                bus.publish(event)
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@contextmanager
def _full(disk: Path) -> Iterator[None]:
    """Fill the disk to the last byte meanwhile."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    try:
        yield
        assert os.statvfs(disk).f_bavail == 0
    finally:
        ballast.unlink()


@contextmanager
def _busy() -> Iterator[None]:
    """Keep every core busy meanwhile."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(CORES)]
    try:
        sleep(0.2)
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], small_disk=True)))
