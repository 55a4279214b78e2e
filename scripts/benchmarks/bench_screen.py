"""Benchmark of the dashboard with its log: CPU time of its threads, at the default interval, in a pty."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from workload import row

from monitor.dashboard import LoadBalancingDashboard
from virnucpro_bus import events as ev
from virnucpro_bus.clock import Clock, ManualClock, SystemClock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState

GPUS_PER_HOST = 8
FILES_PER_GPU = 12
SCENES = ((8, 120, 30, 1.0), (64, 80, 24, None), (4096, 200, 60, 5.0))
"""Devices, width and height of the terminal, and the goal: a share of a core in percent, None for no goal."""
FRAMES = 6
FRAME_END = b"\x1b[?2026l"


class Viewer:
    """Reads what is drawn and counts the frames, in a thread of its own."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._drawn = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def wait_for(self, frames: int) -> None:
        """Wait until so many more frames have been drawn."""
        with self._changed:
            wanted = self._drawn + frames
            self._changed.wait_for(lambda: self._drawn >= wanted)

    def _run(self) -> None:
        unread = b""
        while True:
            try:
                data = unread + os.read(self._master, 1 << 16)
            except OSError:
                return
            with self._changed:
                self._drawn += data.count(FRAME_END)
                self._changed.notify()
            unread = data.rpartition(FRAME_END)[2][1 - len(FRAME_END) :]


def measure() -> list[dict[str, Any]]:
    """Measure the dashboard with ever more devices."""
    os.environ["TERM"] = "xterm-256color"
    rows = []
    for devices, width, height, share_percent in SCENES:
        cpu_seconds, wall_seconds = _time_dashboard(devices, width, height)
        what = f"{devices} devices on {width} x {height}: "
        goal = "" if share_percent is None else f"<= {share_percent:g}"
        rows.append(row(f"{what}CPU time per frame", 1000 * cpu_seconds / FRAMES, "ms"))
        rows.append(row(f"{what}time between two frames", wall_seconds / FRAMES, "s"))
        rows.append(row(f"{what}share of a core", 100 * cpu_seconds / wall_seconds, "%", goal))
    return rows


def _time_dashboard(devices: int, width: int, height: int) -> tuple[float, float]:
    """Return the CPU seconds and the wall seconds of the frames after the first two."""
    fleet = FleetState(SystemClock())
    fleet.feed(list(_frames(devices)), SystemClock().mono_ns())
    master, slave = os.openpty()
    with tempfile.TemporaryDirectory() as folder, os.fdopen(slave, "w", encoding="utf-8") as terminal:
        viewer = Viewer(master)
        console = Console(file=terminal, width=width, height=height)
        with LoadBalancingDashboard(fleet, fleet, log_file=Path(folder) / "log.csv", console=console):
            threads = [thread for thread in threading.enumerate() if thread.name in ("dashboard", "screen")]
            clocks = [time.pthread_getcpuclockid(thread.ident or 0) for thread in threads]
            viewer.wait_for(2)
            cpu, wall = sum(map(time.clock_gettime, clocks)), time.perf_counter()
            viewer.wait_for(FRAMES)
            figures = sum(map(time.clock_gettime, clocks)) - cpu, time.perf_counter() - wall
    os.close(master)
    return figures


def _frames(devices: int) -> Iterator[bytes]:
    """Yield runs on hosts of eight GPUs each: every GPU has completed some files and has another in progress."""
    clock = ManualClock(SystemClock().wall_ns(), SystemClock().mono_ns())
    for number in range(-(-devices // GPUS_PER_HOST)):
        yield from _host(clock, f"node{number:03d}", min(GPUS_PER_HOST, devices - number * GPUS_PER_HOST))


def _host(clock: Clock, host: str, gpus: int) -> Iterator[bytes]:
    def sequencer(source: str) -> Sequencer:
        return Sequencer(clock, source=source, run="run-1", epoch=1, host=host)

    coordinator, sampler = sequencer("coordinator"), sequencer("sampler")
    every = tuple(Device(f"GPU-{host}-{index}", "NVIDIA A100-SXM4-80GB", index) for index in range(gpus))
    yield encode(coordinator.next_envelope(ev.RunStarted("job", "cost", every, 1000)))
    for device in every:
        files = tuple(
            ev.PlannedFile(f"{device.index}-{number}.fa", 1000, 7) for number in range(FILES_PER_GPU + 1)
        )
        yield encode(coordinator.next_envelope(ev.FilesAssigned(device.key, files)))
        worker = sequencer(f"worker-{device.index}")
        yield encode(worker.next_envelope(ev.WorkerStarted(device, 100)))
        for file in files[:-1]:
            yield encode(worker.next_envelope(ev.FileStarted(device.key, file.file, 1)))
            yield encode(worker.next_envelope(ev.FileCompleted(device.key, file.file, 1, 250, 0.5)))
        yield encode(worker.next_envelope(ev.FileStarted(device.key, files[-1].file, 1)))
        yield encode(sampler.next_envelope(ev.GpuSampled(device, 87.5, 30.0, 1 << 34, 80 << 30, 61.0, 312.5)))
