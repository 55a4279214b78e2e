"""Runs whose files take what they like: the real coordinator on a clock that jumps from event to event."""

from __future__ import annotations

import heapq
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import NormalDist

from tests.support.driven_coordinator import ready
from tests.support.plans import cpus, input_files
from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script
from workers.coordinator.assignment import Assignment
from workers.coordinator.coordinator import WorkStealingCoordinator

SEQUENCES = 1_000
"""How many are in each file."""
REPORTED_BEFORE_SECONDS = 0.2
"""How old the last report of progress is at the moments at which a run is seen."""


ProgressByTime = Callable[[float], float]
"""The share of a file's sequences that is done, by the share of its time."""


def sorted_by_length(spread: float) -> ProgressByTime:
    """Progress of a job that takes the longest sequences first; below 0 the shortest; 0: in any order."""
    usual = NormalDist()
    return lambda time: usual.cdf(usual.inv_cdf(min(max(time, 1e-9), 1 - 1e-9)) - spread)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a run is like. Times are seconds."""

    files: Sequence[tuple[int, float]]
    """(cost as planned, seconds on a device of speed 1)."""
    speeds: Sequence[float]
    weights: Sequence[float] | None = None
    changes: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    """By device: when its speed changes, and to what."""
    startup: Sequence[float] = ()
    """When each device is ready; by default at once."""
    fixed: float = 0.0
    """What every file takes in addition on any device."""
    gap: float = 0.01
    """The mean time between two files."""
    progress: ProgressByTime | None = None
    """None: jobs report no total."""
    fails_each: int = 0
    """The first attempt at every so many-th file fails half-way; 0: none does."""


class ShapedRun:
    """`script` holds what launcher and workers would have published."""

    def __init__(self, shape: Shape, policy: str, seed: int = 0) -> None:
        self.host = socket.gethostname()
        self.script = Script(host=self.host)
        self.makespan = self._first = 0.0
        self._shape = shape
        self._dice = Random(f"{seed} {policy}")
        self._devices = cpus(len(shape.speeds))
        self._coordinator = WorkStealingCoordinator(
            self._devices,
            input_files([cost for cost, _ in shape.files]),
            policy=policy,
            weights=shape.weights,
            sink=self,
            clock=self.script.clock,
        )
        self._seconds = {f"f{number}.fa": seconds for number, (_, seconds) in enumerate(shape.files)}
        self._began_ns = self.script.clock.mono_ns()
        self._next: list[tuple[float, int, int, Assignment | None, float]] = []
        """A heap of (when, number, device, the file that ends then or None, when that began)."""

    def publish(self, event: ev.Fact) -> None:
        """The coordinator's way onto the bus."""
        self.script.say("coordinator", event)

    def work(self, moments: Sequence[float] = ()) -> Iterator[FleetState]:
        """Work to the end; yield what a viewer has folded at each of these seconds since the first file, and then.

        Each is to be read before the next one, for all have the same clock.
        """
        left = sorted(moments)
        self._coordinator.start()
        for slot, device in enumerate(self._devices):
            self.script.say(f"worker-{slot}", ev.WorkerStarted(device, 100))
            self._push(self._shape.startup[slot] if self._shape.startup else 0.0, slot)
        self._first = self._next[0][0]
        done = set[int]()
        while self._next:
            at, _, slot, held, began = heapq.heappop(self._next)
            now = (at, 0, slot, held, began)
            while left and self._first + left[0] <= at:
                self._report([now, *self._next], self._first + left[0])
                self._advance(self._first + left.pop(0))
                yield self.fleet()
            self._advance(at)
            if held is not None:
                self._end(slot, held, at - began)
                self._push(at + self._shape.gap * self._dice.uniform(0.3, 1.7), slot)
                continue
            if slot not in done:
                done.add(slot)
                self.script.say(f"worker-{slot}", ready(self._devices[slot]))
            self._take(slot, at)
        self._coordinator.finish(0)
        yield self.fleet()

    def _advance(self, at: float) -> None:
        self.script.clock.advance(max(0.0, at - self._now()))

    def _now(self) -> float:
        return (self.script.clock.mono_ns() - self._began_ns) / NANOSECONDS

    def _report(self, files: Sequence[tuple[float, int, int, Assignment | None, float]], moment: float) -> None:
        """Say how far each file is, as its worker would have last, so long before that moment."""
        at = moment - REPORTED_BEFORE_SECONDS
        if self._shape.progress is None or at <= self._now():
            return
        self._advance(at)
        for end, _, slot, held, began in files:
            if held is not None and began < at:
                key, file = self._devices[slot].key, held.file.id
                whole = (end - began) * (2 if self._fails(held) else 1)
                done = round(SEQUENCES * self._shape.progress((at - began) / whole))
                self.script.say(f"worker-{slot}", ev.FileProgress(key, file, held.attempt, done, SEQUENCES))

    def _push(self, at: float, slot: int, held: Assignment | None = None, began: float = 0.0) -> None:
        heapq.heappush(self._next, (at, len(self.script.envelopes), slot, held, began))

    def _take(self, slot: int, now: float) -> None:
        held = self._coordinator.next_file(self._devices[slot].key)
        if held is None:
            return
        key, source, file = self._devices[slot].key, f"worker-{slot}", held.file.id
        if held.stolen_from is not None:
            self.script.say(source, ev.WorkStolen(key, held.stolen_from, file, held.attempt, held.stolen_at_ns))
        self.script.say(source, ev.FileStarted(key, file, held.attempt))
        took = self._took(slot, now, self._seconds[file]) * self._dice.lognormvariate(0, 0.005)
        self._push(now + (took / 2 if self._fails(held) else took), slot, held, now)

    def _took(self, slot: int, now: float, seconds: float) -> float:
        speed = self._shape.speeds[slot]
        change, slower = self._shape.changes.get(slot, (float("inf"), speed))
        before = max(0.0, min(seconds, (change - now) * speed))
        return self._shape.fixed + before / speed + (seconds - before) / slower

    def _fails(self, held: Assignment) -> bool:
        each = self._shape.fails_each
        return bool(each) and held.attempt == 1 and int(held.file.id[1:-3]) % each == 0

    def _end(self, slot: int, held: Assignment, seconds: float) -> None:
        key, source = self._devices[slot].key, f"worker-{slot}"
        if self._fails(held):
            self.script.say(source, ev.FileFailed(key, held.file.id, held.attempt, "bad", seconds, held.is_last))
            self._coordinator.record_file_failure(key, held.file.id, "bad", seconds)
            return
        self.script.say(source, ev.FileCompleted(key, held.file.id, held.attempt, 1, seconds))
        self._coordinator.record_file_completion(key, held.file.id, 1, seconds)
        self.makespan = self._now() - self._first

    def fleet(self) -> FleetState:
        """What a viewer has folded at this moment."""
        fleet = FleetState(self.script.clock, local_host=self.host)
        fleet.feed(self.script.frames())
        return fleet


def shapes(seed: int, files: int = 80) -> dict[str, Shape]:
    """Runs whose effect and whose end are easy, hard or impossible to estimate."""
    dice = Random(seed)
    usual = [max(0.02, dice.lognormvariate(-0.5, 1.0)) for _ in range(files)]
    bimodal = [dice.choice([0.2] * 4 + [4.0]) * dice.uniform(0.8, 1.2) for _ in range(files)]
    other_sizes = dice.sample(usual, files)

    def sized(seconds: Sequence[float]) -> list[tuple[int, float]]:
        return [(max(1, round(1000 * each)), each) for each in seconds]

    known, unknown = sized(usual), [(1, each) for each in usual]
    unlike = (1.0, 1.0, 1.5, 2.5)
    return {
        "equal": Shape(files=known, speeds=(1.0,) * 4),
        "unequal": Shape(files=known, speeds=(1.0, 1.5, 2.5)),
        "bimodal": Shape(files=sized(bimodal), speeds=unlike),
        "a slow device": Shape(files=known, speeds=(1.0, 1.0, 1.0, 0.2)),
        "size is not time": Shape(
            files=[(round(1000 * a) + 1, b) for a, b in zip(other_sizes, usual, strict=True)], speeds=unlike
        ),
        "size unknown": Shape(files=unknown, speeds=unlike),
        "size unknown, equal": Shape(files=unknown, speeds=(1.0,) * 4),
        "startup": Shape(files=known, speeds=(1.0,) * 3, startup=(0.0, 4.0, 12.0)),
        "fixed cost": Shape(files=sized([0.3 * each for each in usual]), speeds=unlike, fixed=0.6),
        "retries": Shape(files=known, speeds=unlike, fails_each=5),
        "slows": Shape(files=known, speeds=(1.0,) * 4, changes={1: (8.0, 0.25)}),
        "the fastest slows": Shape(files=known, speeds=(1.0, 1.0, 2.5), changes={2: (8.0, 0.8)}),
        "few": Shape(files=sized([6 * each for each in usual[:7]]), speeds=(1.0, 1.5, 2.5)),
        "wrong weights": Shape(files=known, speeds=(1.0,) * 4, weights=(3.0, 1.0, 1.0, 1.0)),
        "long gaps": Shape(files=known, speeds=(1.0, 1.5, 2.5), gap=0.15),
    }
