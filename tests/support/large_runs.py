"""Runs of many files, with steals, failures and samples: what is drawn of them must not grow with the files.

python -m tests.support.large_runs FILES DEVICES run.vbus     writes such a run, of 100 minutes, as a capture
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

from virnucpro_bus import events as ev
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.testing import Script

FILES_IN_AN_EVENT = 500
SAMPLE_SECONDS = 0.5
FAILED_OF = 100
"""One attempt of so many fails once."""
_Timed = tuple[float, str, ev.Fact]
"""Seconds since the start, source, event."""


def large_run(
    files: int, devices: int, *, seconds: float = 6_000.0, sample_seconds: float = SAMPLE_SECONDS, seed: int = 5
) -> Script:
    """Such a run: devices of three speeds take files from the longest queue once their own is empty."""
    dice = random.Random(seed)
    gpus = [
        Device(f"GPU-{at:08x}-0000-0000-0000-000000000000", "NVIDIA H100 80GB HBM3", at) for at in range(devices)
    ]
    work = [dice.lognormvariate(0, 0.7) * seconds * devices / files for _ in range(files)]
    queues = [list(range(at, files, devices)) for at in range(devices)]
    timed: list[_Timed] = [(0.0, "coordinator", ev.RunStarted("large:job", "cost", tuple(gpus), files, "0ff1ce"))]
    timed += [
        (0.0, "coordinator", each)
        for gpu, queue in zip(gpus, queues, strict=True)
        for each in _plan(gpu, queue, work)
    ]
    timed += [(0.0, f"worker-{at}", ev.WorkerStarted(gpu, 100 + at)) for at, gpu in enumerate(gpus)]
    end = 0.0
    free = [(5.0 + 0.01 * at, at) for at in range(devices)]
    heapq.heapify(free)
    pending = files
    while pending:
        now, at = heapq.heappop(free)
        victim = at if queues[at] else max(range(devices), key=lambda each: len(queues[each]))
        file = queues[victim].pop(0 if victim == at else -1)
        pending -= 1
        name, source, key = f"sample_{file:06}.fa", f"worker-{at}", gpus[at].key
        attempts = 2 if dice.randrange(FAILED_OF) == 0 else 1
        if victim != at:
            timed.append((now, source, ev.WorkStolen(key, gpus[victim].key, name, 1, 0)))
        for attempt in range(1, attempts + 1):
            timed.append((now, source, ev.FileStarted(key, name, attempt)))
            took = work[file] * (1.0 + 0.4 * (at % 3))
            now += took
            is_last = attempt == attempts
            end_event = (
                ev.FileCompleted(key, name, attempt, 100, took)
                if is_last
                else ev.FileFailed(key, name, attempt, "RuntimeError: out of memory", took, final=False)
            )
            timed.append((now, source, end_event))
            if is_last:
                timed.append((now, "coordinator", ev.FileResults(name, attempt, 0, "", (f"{name}.out",))))
                timed.append((now, "coordinator", ev.FileCommitted(key, name, attempt, 1, 1_000, "", 100)))
            now += 0.002
        end = max(end, now)
        heapq.heappush(free, (now, at))
    timed += _heartbeats(gpus, end)
    timed += _samples(gpus, end, sample_seconds, dice)
    timed += _depths(timed, files, gpus[0].key)
    timed.append((end, "coordinator", ev.RunFinished(0, files, 0)))
    timed.sort(key=itemgetter(0))
    script, now_ns = Script(host="node7", run="large-run"), 0
    for at_s, source, event in timed:
        script.clock.advance(at_s - now_ns / NANOSECONDS)
        now_ns = round(at_s * NANOSECONDS)
        script.say(source, event)
    return script


def _plan(gpu: Device, queue: list[int], work: list[float]) -> Iterator[ev.Fact]:
    for first in range(0, len(queue), FILES_IN_AN_EVENT):
        part = queue[first : first + FILES_IN_AN_EVENT]
        planned = (ev.PlannedFile(f"sample_{each:06}.fa", 1_000, max(1, round(work[each] * 1e6))) for each in part)
        yield ev.FilesAssigned(gpu.key, tuple(planned))


def _heartbeats(gpus: list[Device], end: float) -> Iterator[_Timed]:
    for second in range(5, int(end) + 1):
        for at, gpu in enumerate(gpus):
            yield float(second), f"worker-{at}", ev.Heartbeat(gpu.key, "busy", 0, 0, 0, 0, 0)


def _samples(gpus: list[Device], end: float, step: float, dice: random.Random) -> Iterator[_Timed]:
    for at in range(int(end / step) if step else 0):
        for gpu in gpus:
            load, watts = dice.uniform(60, 100), dice.uniform(450, 650)
            energy = round(at * step * 550_000)
            yield (
                at * step,
                "sampler",
                ev.GpuSampled(gpu, load, 50.0, 40 << 30, 80 << 30, 61.0, watts, False, energy),
            )


def _depths(timed: list[_Timed], files: int, key: str) -> list[_Timed]:
    pending = files
    found: list[_Timed] = []
    for at_s, _, event in sorted(timed, key=itemgetter(0)):
        if isinstance(event, ev.FileStarted) and event.attempt == 1:
            pending -= 1
            found.append((at_s, "coordinator", ev.QueueDepths({key: pending})))
    return found


def write_large_run(path: Path, script: Script) -> None:
    """Write the events as a capture, each received when it was sent."""
    first = script.envelopes[0]
    clock = ManualClock(first.wall_ns, first.mono_ns)
    with CaptureWriter(path, clock) as writer:
        for envelope, frame in zip(script.envelopes, script.frames(), strict=True):
            clock.wall, clock.mono = envelope.wall_ns, envelope.mono_ns
            writer.append([frame])
