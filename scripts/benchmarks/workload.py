"""Helpers of all benchmarks: a realistic stream of events, child processes, rows and medians."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Sequencer

WORKERS = 4
HEARTBEAT_EVERY = 100
"""Files between two heartbeats, over all workers."""
FILES_A_PLAN = 128
"""Files in one event of the plan."""
MILLIONS_VARIABLE = "BENCH_MILLIONS"
DEVICES = [f"GPU-8a4f6f8e-1c9d-4d5e-9f6a-1b2c3d4e5f6{number}" for number in range(WORKERS)]


def event_stream(files: int) -> Iterator[bytes]:
    """Yield the frames of a run on four GPUs: each file starts, progresses twice and completes; and heartbeats."""
    clock = ManualClock()
    sequencers = [
        Sequencer(clock, source=f"worker-{n}", run="run-1", epoch=1, host="node") for n in range(WORKERS)
    ]
    for number in range(files):
        worker = number % WORKERS
        device, file, envelope = DEVICES[worker], f"sample_{number}.fa", sequencers[worker].next_envelope
        clock.advance(0.002)
        yield encode(envelope(ev.FileStarted(device, file, 1)))
        yield encode(envelope(ev.FileProgress(device, file, 1, 100)))
        yield encode(envelope(ev.FileProgress(device, file, 1, 200)))
        yield encode(envelope(ev.FileCompleted(device, file, 1, 250, 0.008)))
        if number % HEARTBEAT_EVERY == 0:
            yield encode(envelope(ev.Heartbeat(device, "idle", number, 0, 250 * number, 0, 0)))


def plan_of(files: int) -> Iterator[bytes]:
    """Yield the frames with which a coordinator announces the run of `event_stream`: what each GPU is to do."""
    sequencer = Sequencer(ManualClock(), source="coordinator", run="run-1", epoch=1, host="node")
    devices = tuple(ev.Device(key) for key in DEVICES)
    yield encode(sequencer.next_envelope(ev.RunStarted("job", "cost", devices, files)))
    for worker, key in enumerate(DEVICES):
        numbers = range(worker, files, WORKERS)
        for first in range(0, len(numbers), FILES_A_PLAN):
            part = numbers[first : first + FILES_A_PLAN]
            plan = tuple(ev.PlannedFile(f"sample_{number}.fa", 1, 1 + number % 999) for number in part)
            yield encode(sequencer.next_envelope(ev.FilesAssigned(key, plan)))


def planned_stream(files: int) -> Iterator[bytes]:
    """Yield the frames of a planned run, of which a fold keeps every file; without a plan it forgets most."""
    yield from plan_of(files)
    yield from event_stream(files)


def events_of(files: int) -> int:
    """Return how many events `planned_stream` yields for so many files."""
    plans = sum(-(-len(range(worker, files, WORKERS)) // FILES_A_PLAN) for worker in range(WORKERS))
    return 1 + plans + 4 * files + -(-files // HEARTBEAT_EVERY)


def millions(default: int) -> int:
    """Return how many millions a long benchmark uses: the environment variable BENCH_MILLIONS, or its default."""
    return int(os.environ.get(MILLIONS_VARIABLE, default))


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process; of this process after a garbage collection."""
    if pid == os.getpid():
        gc.collect()
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_bytes(pid: int) -> int:
    """Return the peak of the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def row(what: str, value: float, unit: str, goal: str = "") -> dict[str, Any]:
    """Return one row of the table."""
    return {"what": what, "value": value, "unit": unit, "goal": goal}


def print_table(corner: str, cells: Mapping[tuple[str, str], str]) -> None:
    """Print texts by row and column, in the order in which they are named, as a table of a document has them."""
    columns = list(dict.fromkeys(column for _, column in cells))
    print(f"\n  | {' | '.join([corner, *columns])} |\n  |{'---|' * (1 + len(columns))}")
    for name in dict.fromkeys(name for name, _ in cells):
        print(f"  | {' | '.join([name, *(cells[name, column] for column in columns)])} |", flush=True)


def per_item(action: Callable[[], object], items: int) -> float:
    """Run `action` once over `items` items; return the seconds per item."""
    started = perf_counter()
    action()
    return (perf_counter() - started) / items


def middle(values: list[float]) -> float:
    """Return the median."""
    return median(values)


class Peer(subprocess.Popen[str]):
    """A process of `peers.py`, with a pipe in each direction."""

    def line(self) -> str:
        """Return the next line that it prints; "" when it has ended."""
        assert self.stdout is not None
        return self.stdout.readline()

    def go(self) -> None:
        """Send the line for which it waits."""
        assert self.stdin is not None
        self.stdin.write("go\n")
        self.stdin.flush()


@contextmanager
def child(role: str, *arguments: object) -> Iterator[Peer]:
    """Run `peers.py ROLE ARGUMENTS...` meanwhile, with a pipe in each direction."""
    command = [sys.executable, "-P", str(Path(__file__).parent / "peers.py"), role, *map(str, arguments)]
    process = Peer(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
