"""Benchmark of what is made of a capture: report and exports, beside one `replay --once` of the same capture."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from workload import middle, row

from virnucpro_bus import events as ev
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Sequencer

DEVICES = [ev.Device(f"GPU-{number:08x}-1c9d-4d5e-9f6a-1b2c3d4e5f60", "H100", number) for number in range(16)]
SIZES = (100, 10_000, 100_000)
RUN_SECONDS = {100: 60, 10_000: 6_000, 100_000: 6_000}
SAMPLE_SECONDS = 0.5
FILES_AN_EVENT = 500
ROUNDS = 5
MOST_FOR_A_REPORT = 1.3
OUTPUTS = {
    "report": ("report", "-o", "report.html"),
    "export csv": ("export", "-o", "files.csv"),
    "export chrome-trace": ("export", "--format", "chrome-trace", "-o", "trace.json"),
    "export perfetto": ("export", "--format", "perfetto", "-o", "trace.pftrace"),
}


def measure() -> list[dict[str, Any]]:
    """Measure each output at each size, in turn with the replay."""
    rows = []
    for files in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            capture = Path(folder) / "run.vbus"
            write_run(capture, files)
            replays, seconds = [], {name: list[float]() for name in OUTPUTS}
            for number in range(ROUNDS):
                replays.append(_seconds(["replay", str(capture), "--once"], folder))
                for name, (command, *options) in OUTPUTS.items():
                    *rest, output = options
                    made = f"{number}-{output}"
                    seconds[name].append(_seconds([command, str(capture), *rest, made], folder))
            rows.append(row(f"{files:,} files: replay --once", middle(replays), "s"))
            for name, (*_, output) in OUTPUTS.items():
                ratio = middle([each / replay for each, replay in zip(seconds[name], replays, strict=True)])
                goal = f"<= {MOST_FOR_A_REPORT}" if name == "report" else ""
                rows.append(row(f"  {name} / replay --once", ratio, "x", goal))
                size = (Path(folder) / f"0-{output}").stat().st_size
                rows.append(row(f"  {name}: size", size / 1e6, "MB", "<= 2" if name == "report" else ""))
    return rows


def _seconds(arguments: list[str], folder: str) -> float:
    started = perf_counter()
    command = [sys.executable, "-P", "-m", "virnucpro_bus", *arguments]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - started


def write_run(path: Path, files: int) -> None:
    """Write the capture of a run on 16 GPUs with steals, and with samples twice a second."""
    clock = ManualClock()
    with CaptureWriter(path, clock, "run-1") as capture:
        for at_ns, frames in _in_batches(_events(files, clock), clock.wall_ns() - clock.mono_ns()):
            clock.advance((at_ns - clock.mono_ns()) / NANOSECONDS)
            capture.append(frames)


def _in_batches(
    events: Iterable[tuple[int, Sequencer, ev.Fact]], boot_ns: int
) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the events in the order of time as frames, those of a tenth of a second together."""
    batch: list[bytes] = []
    limit_ns = 0
    for at_ns, sequencer, event in sorted(events, key=lambda each: each[0]):
        if at_ns >= limit_ns:
            if batch:
                yield limit_ns, batch
            batch, limit_ns = [], at_ns + NANOSECONDS // 10
        batch.append(encode(sequencer.next_envelope(event, wall_ns=at_ns + boot_ns, mono_ns=at_ns)))
    yield limit_ns, batch


def _events(files: int, clock: ManualClock) -> Iterator[tuple[int, Sequencer, ev.Fact]]:
    """Yield what is published, when and by whom: devices differ in speed, and who is done steals."""
    dice, start_ns, boot_ns = Random(files), clock.mono_ns(), clock.wall_ns() - clock.mono_ns()

    def publisher(source: str) -> Sequencer:
        return Sequencer(clock, source=source, run="run-1", epoch=1, host="node")

    coordinator, sampler = publisher("coordinator"), publisher("sampler")
    workers = [publisher(f"worker-{number}") for number in range(len(DEVICES))]
    mean = RUN_SECONDS[files] * len(DEVICES) / files / 1.5
    seconds = [dice.lognormvariate(-0.25, 0.7) * mean for _ in range(files)]
    queues = [list(range(number, files, len(DEVICES))) for number in range(len(DEVICES))]
    yield start_ns, coordinator, ev.RunStarted("my_model:classify", "cost", tuple(DEVICES), files)
    for device, queue in zip(DEVICES, queues, strict=True):
        for first in range(0, len(queue), FILES_AN_EVENT):
            planned = [
                ev.PlannedFile(_name(file), 1_000, round(seconds[file] * 1e6))
                for file in queue[first : first + FILES_AN_EVENT]
            ]
            yield start_ns, coordinator, ev.FilesAssigned(device.key, tuple(planned))
    free: list[tuple[int, int]] = [(start_ns, number) for number in range(len(DEVICES))]
    end_ns = start_ns
    while any(queues):
        at_ns, number = heappop(free)
        victim = number if queues[number] else max(range(len(queues)), key=lambda each: len(queues[each]))
        file, key = queues[victim].pop(0), DEVICES[number].key
        if victim != number:
            yield at_ns, workers[number], ev.WorkStolen(key, DEVICES[victim].key, _name(file), 1, at_ns + boot_ns)
        yield at_ns, workers[number], ev.FileStarted(key, _name(file), 1)
        taken = seconds[file] * (1 + number % 3 / 2)
        end_ns = at_ns + round(taken * NANOSECONDS)
        yield end_ns, workers[number], ev.FileCompleted(key, _name(file), 1, 250, taken)
        heappush(free, (end_ns + NANOSECONDS // 1_000, number))
    end_ns = max(at_ns for at_ns, _ in free)
    for turn in range(round((end_ns - start_ns) / NANOSECONDS / SAMPLE_SECONDS)):
        at_ns = start_ns + round(turn * SAMPLE_SECONDS * NANOSECONDS)
        for device in DEVICES:
            load, watts = dice.uniform(60, 100), dice.uniform(400, 700)
            energy = round(turn * SAMPLE_SECONDS * 550_000)
            sample = ev.GpuSampled(device, load, 50.0, 40 << 30, 80 << 30, 61.0, watts, energy_millijoules=energy)
            yield at_ns, sampler, sample
    yield end_ns, coordinator, ev.RunFinished(0, files, 0)


def _name(file: int) -> str:
    return f"sample_{file:06}.fa"
