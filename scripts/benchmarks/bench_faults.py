"""What publishing one event costs when something is wrong elsewhere: p50 and p99 at one event a millisecond."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from time import perf_counter_ns, sleep
from typing import Any

import zmq
from workload import child, middle, row

from virnucpro_bus.events import Device
from virnucpro_bus.publisher import Publisher

EVENTS = 3_000
PAUSE_SECONDS = 0.001
ROUNDS = 3
CORES = 2
FRAME_BYTES = 120
LONGER_THAN_THE_PIPE = 25_000
"""Events that fill the pipe (10,000), the kernel's buffer, and some of the spool."""
Fault = Callable[[], AbstractContextManager[object]]


def measure() -> list[dict[str, Any]]:
    """Undisturbed and under each fault in turn, several times; medians of the rounds."""
    p50: dict[str, list[float]] = {}
    p99: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
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
        event = bus.completion("sample_17.fa", sequences=250, duration_seconds=3.2, attempt=1)
        for _ in range(ROUNDS):
            for name, fault in faults.items():
                with fault():
                    times = _slowly(partial(bus.publish, event))
                p50.setdefault(name, []).append(times[EVENTS // 2])
                p99.setdefault(name, []).append(times[EVENTS * 99 // 100])
                sleep(1.0)  # what has piled up drains meanwhile
    rows = []
    for name in faults:
        calm = [a / b for a, b in zip(p99[name], p99["undisturbed"], strict=True)]
        rows.append(row(f"publish p50, {name}", middle(p50[name]), "us"))
        rows.append(row(f"publish p99, {name}; {_each(p99[name])}", middle(p99[name]), "us", "<= 100"))
        if name != "undisturbed":
            rows.append(row("  its p99 / undisturbed p99 of the same round", middle(calm), "x", "<= 1.5"))
    rows.append(row("p99 of a bare send of as many bytes, both cores busy", _bare_send(), "us"))
    return rows


def _bare_send() -> float:
    """The p99 of the library's own send on busy cores: what is not ours of the figure above."""
    with tempfile.TemporaryDirectory() as folder, child("sink", f"ipc://{folder}/sink") as sink:
        sink.stdout.readline()
        context = zmq.Context()
        bare = context.socket(zmq.XPUB)
        bare.setsockopt(zmq.XPUB_NODROP, 1)
        bare.connect(f"ipc://{folder}/sink")
        bare.recv()
        with _busy():
            times = _slowly(partial(bare.send, bytes(FRAME_BYTES), zmq.DONTWAIT))
        context.destroy(linger=0)
    return times[EVENTS * 99 // 100]


def _each(figures: list[float]) -> str:
    return "raw " + " ".join(f"{figure:.1f}" for figure in figures)


def _slowly(action: Callable[[], object]) -> list[float]:
    """Do it once a millisecond; what each took in microseconds, sorted."""
    times = []
    for _ in range(EVENTS):
        sleep(PAUSE_SECONDS)
        started = perf_counter_ns()
        action()
        times.append((perf_counter_ns() - started) / 1000)
    return sorted(times)


@contextmanager
def _monitor(run_dir: str, hub: subprocess.Popen[str]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A monitor that watches the hub; with it the hub's address to publish to."""
    publish, _ = hub.stdout.readline().split()
    command = [sys.executable, "-m", "virnucpro_bus", "monitor", run_dir, "--json"]
    monitor = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        monitor.stdout.readline()
        yield publish, monitor
    finally:
        monitor.kill()
        monitor.wait()
        monitor.stdout.close()


@contextmanager
def _stopped(process: subprocess.Popen[Any], bus: Publisher | None = None) -> Iterator[None]:
    """Meanwhile the process stands still; with `bus`, its spool is in use from the beginning."""
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
def _busy() -> Iterator[None]:
    """Meanwhile every core has something else to do."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(CORES)]
    try:
        sleep(0.2)
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()
