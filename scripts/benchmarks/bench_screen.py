"""What the dashboard costs at its default interval, on a pseudo-terminal, with its log: CPU time of its thread."""

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

GPUS_A_HOST = 8
FILES_A_GPU = 12
# Devices, width and height of the terminal, the share of a core that is aimed at.
SCENES = ((8, 120, 30, 1.0), (64, 80, 24, None), (4096, 200, 60, 5.0))
PICTURES = 6
PICTURE_ENDS = b"\x1b[?2026l"


class Viewer:
    """Reads all that is drawn, and counts the pictures."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._drawn = 0
        self._news = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def see(self, pictures: int) -> None:
        """Return when so many more have been drawn."""
        with self._news:
            wanted = self._drawn + pictures
            self._news.wait_for(lambda: self._drawn >= wanted)

    def _run(self) -> None:
        rest = b""
        while True:
            try:
                data = rest + os.read(self._master, 1 << 16)
            except OSError:
                return
            with self._news:
                self._drawn += data.count(PICTURE_ENDS)
                self._news.notify()
            rest = data.rpartition(PICTURE_ENDS)[2][1 - len(PICTURE_ENDS) :]


def measure() -> list[dict[str, Any]]:
    os.environ["TERM"] = "xterm-256color"
    rows = []
    for devices, width, height, share_percent in SCENES:
        cpu_seconds, wall_seconds = _watched(devices, width, height)
        what = f"{devices} devices on {width} x {height}: "
        goal = "" if share_percent is None else f"<= {share_percent:g}"
        rows.append(row(f"{what}CPU time a picture", 1000 * cpu_seconds / PICTURES, "ms"))
        rows.append(row(f"{what}time between two pictures", wall_seconds / PICTURES, "s"))
        rows.append(row(f"{what}share of a core", 100 * cpu_seconds / wall_seconds, "%", goal))
    return rows


def _watched(devices: int, width: int, height: int) -> tuple[float, float]:
    """CPU time and time of the pictures after the first two."""
    fleet = FleetState(SystemClock())
    fleet.feed(list(_frames(devices)), SystemClock().mono_ns())
    master, slave = os.openpty()
    with tempfile.TemporaryDirectory() as folder, os.fdopen(slave, "w", encoding="utf-8") as terminal:
        viewer = Viewer(master)
        console = Console(file=terminal, width=width, height=height)
        with LoadBalancingDashboard(fleet, fleet, log_file=Path(folder) / "log.csv", console=console):
            (drawer,) = (thread for thread in threading.enumerate() if thread.name == "dashboard")
            clock = time.pthread_getcpuclockid(drawer.ident or 0)
            viewer.see(2)
            cpu, wall = time.clock_gettime(clock), time.perf_counter()
            viewer.see(PICTURES)
            figures = time.clock_gettime(clock) - cpu, time.perf_counter() - wall
    os.close(master)
    return figures


def _frames(devices: int) -> Iterator[bytes]:
    """Runs on hosts of eight GPUs each, in full swing: every GPU has done some files and is at work on another."""
    clock = ManualClock(SystemClock().wall_ns(), SystemClock().mono_ns())
    for number in range(-(-devices // GPUS_A_HOST)):
        yield from _host(clock, f"node{number:03d}", min(GPUS_A_HOST, devices - number * GPUS_A_HOST))


def _host(clock: Clock, host: str, gpus: int) -> Iterator[bytes]:
    def stamp(source: str) -> Sequencer:
        return Sequencer(clock, source=source, run="run-1", epoch=1, host=host)

    coordinator, sampler = stamp("coordinator"), stamp("sampler")
    every = tuple(Device(f"GPU-{host}-{index}", "NVIDIA A100-SXM4-80GB", index) for index in range(gpus))
    yield encode(coordinator.next_envelope(ev.RunStarted("job", "cost", every, 1000)))
    for device in every:
        files = tuple(ev.PlannedFile(f"{device.index}-{number}.fa", 1000, 7) for number in range(FILES_A_GPU + 1))
        yield encode(coordinator.next_envelope(ev.FilesAssigned(device.key, files)))
        worker = stamp(f"worker-{device.index}")
        yield encode(worker.next_envelope(ev.WorkerStarted(device, 100)))
        for file in files[:-1]:
            yield encode(worker.next_envelope(ev.FileStarted(device.key, file.file, 1)))
            yield encode(worker.next_envelope(ev.FileCompleted(device.key, file.file, 1, 250, 0.5)))
        yield encode(worker.next_envelope(ev.FileStarted(device.key, files[-1].file, 1)))
        yield encode(sampler.next_envelope(ev.GpuSampled(device, 87.5, 30.0, 1 << 34, 80 << 30, 61.0, 312.5)))
