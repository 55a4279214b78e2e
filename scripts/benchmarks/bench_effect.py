"""What a look at the effect of stealing costs: the first one at a long run, and those that follow."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from workload import DEVICES, WORKERS, event_stream, middle, row

from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock, SystemClock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.fold.fleet import FleetState

SIZES = (10_000, 100_000, 1_000_000)
FILES_A_LOOK = 100
"""So many are done between two looks."""
LOOKS = 20


def measure() -> list[dict[str, Any]]:
    rows = []
    for files in SIZES:
        fleet = FleetState(SystemClock())
        fleet.feed(_plan(files))
        frames = list(event_stream(files))
        later = frames[-LOOKS * FILES_A_LOOK * 4 :]
        fleet.feed(frames[: -len(later)])
        del frames
        first = _look(fleet)
        times = []
        for at in range(0, len(later), 4 * FILES_A_LOOK):
            fleet.feed(later[at : at + 4 * FILES_A_LOOK])
            times.append(_look(fleet))
        rows.append(row(f"first look at {files:,} files", first, "s"))
        goal = "<= 0.5" if files == SIZES[-1] else ""
        rows.append(row(f"a later one, after {FILES_A_LOOK} more", middle(times), "s", goal))
    return rows


def _plan(files: int) -> list[bytes]:
    say = Sequencer(ManualClock(), source="coordinator", run="run-1", epoch=1, host="node").next_envelope
    devices = tuple(ev.Device(key) for key in DEVICES)
    frames = [encode(say(ev.RunStarted("job", "cost", devices, files)))]
    for worker, key in enumerate(DEVICES):
        numbers = range(worker, files, WORKERS)
        for first in range(0, len(numbers), 128):
            plan = tuple(ev.PlannedFile(f"sample_{at}.fa", 1, 1 + at % 999) for at in numbers[first : first + 128])
            frames.append(encode(say(ev.FilesAssigned(key, plan))))
    return frames


def _look(fleet: FleetState) -> float:
    started = perf_counter()
    effect = fleet.get_effect()
    seconds = perf_counter() - started
    assert effect["makespan_seconds"], effect
    return seconds
