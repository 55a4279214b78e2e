"""Generated runs as captures: what launcher, workers and hub would have put on record, event by event.

Each device has its own list of files, so that its timeline is a sum of times. They are multiples of 1/16 s, which
floats hold exactly. Nothing of the program is imported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.support.raw_captures import HostClocks, MadeCapture, sum_ns

UP_SECONDS = 1.0
"""From the start of a session until its workers are up, and from a worker's death until the next one is."""
LOAD_SECONDS = 5.0
"""How long every second worker of a device loads its job."""
BEAT_SECONDS = 2.0
CAN_BE_LOST = ("file.progress/", "worker.heartbeat/")


class Work(NamedTuple):
    """A file, and what becomes of it."""

    owner: int
    """Number of the device to which the plan assigns it …"""
    doer: int
    """… and of the one that does it."""
    gap: float
    """Seconds between the file before it and its start."""
    seconds: float
    sequences: int
    failures: tuple[str, ...] = ()
    """How its attempts fail, half-way: "fails", "dies" (the worker with it) or "quits" (no further attempt)."""
    has_progress: bool = False
    total: int | None = None
    cost: int = 1_000


Delivery = Callable[[str, bool], dict[str, Any]]
"""Decides how the hub receives an event, as arguments of MadeCapture.add: its kind, and whether it may be late."""


def at_once(kind: str, may_be_late: bool) -> dict[str, Any]:
    """Every event is received at once, and once."""
    return {}


@dataclass
class Timeline:
    """The events of one session on one host, to be put in the order of time. Times are seconds."""

    epoch: int
    events: list[tuple[float, str, int, str, list[Any]]] = field(default_factory=list)

    def say(self, at: float, kind: str, *fields: Any) -> None:
        """What the launcher publishes."""
        self.events.append((at, "coordinator", self.epoch, kind, list(fields)))


class Worker:
    """One device's worker processes, one after the other, in one session."""

    def __init__(self, timeline: Timeline, number: int, at: float) -> None:
        self.timeline, self.key, self.source = timeline, f"cpu:{number}", f"worker-{number}"
        self.at, self.epoch = at, 100 * timeline.epoch
        self._counts = [0, 0, 0, 0]
        """Completed, failed, sequences and steals, as its heartbeats tell them."""
        self._start()

    def _say(self, kind: str, *fields: Any, after: float = 0.0) -> None:
        self.timeline.events.append((self.at + after, self.source, self.epoch, kind, list(fields)))

    def _start(self) -> None:
        self.epoch, self._counts = self.epoch + 1, [0, 0, 0, 0]
        loads = self.epoch % 2 == 0
        self._say("worker.started/", [self.key, "CPU", int(self.key[4:])], 100, loads)
        if loads:
            self._pass(LOAD_SECONDS, "starting")
        self._beat("idle")

    def _beat(self, state: str, after: float = 0.0) -> None:
        self._say("worker.heartbeat/", self.key, state, *self._counts, 0, after=after)

    def _pass(self, seconds: float, state: str) -> None:
        """Let time go by, with heartbeats."""
        for beat in range(1, int(seconds / BEAT_SECONDS) + 1):
            self._beat(state, beat * BEAT_SECONDS - 1 / 16)
        self.at += seconds

    def do(self, name: str, work: Work) -> None:
        """Do a file, or fail."""
        self._pass(work.gap, "idle")
        if work.owner != work.doer:
            self._counts[3] += 1
            self._say("work.stolen/", self.key, f"cpu:{work.owner}", name, 1, 0)
        for attempt, failure in enumerate((*work.failures, None), start=1):
            self._say("file.started/", self.key, name, attempt)
            half = work.seconds / 2
            self._pass(half, "busy")
            if work.has_progress:
                done = work.sequences // 2
                self._say("file.progress/", self.key, name, attempt, done, work.total)
            if failure is None:
                self._pass(work.seconds - half, "busy")
                self._complete(name, attempt, work)
            elif failure == "dies":
                self.timeline.say(
                    self.at, "worker.lost/", self.key, self.source, self.epoch, "killed", name, attempt
                )
                self.at += UP_SECONDS
                self._start()
            else:
                is_final = failure == "quits"
                self._counts[1] += is_final
                self._say("file.failed/", self.key, name, attempt, "bad", half, is_final)
                if is_final:
                    return

    def _complete(self, name: str, attempt: int, work: Work) -> None:
        self._counts[0] += 1
        self._counts[2] += work.sequences
        self._say("file.completed/", self.key, name, attempt, work.sequences, work.seconds)
        self.timeline.say(self.at, "file.committed/", self.key, name, attempt, 1, 1, "", work.sequences)

    def stop(self) -> None:
        """End, because nothing is left to do."""
        self._beat("idle")
        self._say("worker.stopped/", self.key, "finished")


class MadeUpHost:
    """The sessions of a run on one host, one after the other, until all its files are settled."""

    def __init__(self, made: MadeCapture, name: str, devices: int, files: int) -> None:
        self.made, self.name = made, name
        self.keys = [f"cpu:{number}" for number in range(devices)]
        self._total = files
        self._epoch = 0
        self._left: dict[str, tuple[str, int] | None] = {f"f{number}": None for number in range(files)}
        """The files that are not done; those that failed for good with their device and attempt."""
        self._running: dict[tuple[str, int], str] = {}
        """The workers that nobody has reported as ended, with their devices."""

    def session(
        self, at: float, works: Sequence[Work], killed_after: float = math.inf, deliver: Delivery = at_once
    ) -> float:
        """Do what is left, in the order of `works`, but no longer than so many seconds. Returns when it ended."""
        self._epoch += 1
        files = dict(zip(self._left, works, strict=False))
        timeline = self._timeline(at, files)
        up = at + UP_SECONDS
        end = min(timeline.events[-1][0], up + killed_after)
        for when, source, epoch, kind, fields in timeline.events:
            if when <= end:
                self._note(kind, fields, source, epoch)
                how = deliver(kind, up < when < end)
                if kind == "work.stolen/":
                    fields[4] = sum_ns(self.made.clocks[self.name].wall, when)
                self.made.add(when, kind, fields, source=source, epoch=epoch, host=self.name, **how)
        return end

    def _timeline(self, at: float, files: dict[str, Work]) -> Timeline:
        timeline = Timeline(self._epoch)
        devices = [[key, "CPU", number] for number, key in enumerate(self.keys)]
        timeline.say(at, "run.started/", "job", "cost", devices, self._total)
        for (source, epoch), key in self._running.items():
            timeline.say(at, "worker.lost/", key, source, epoch, "the launcher has ended")
        for name, failed_on in self._left.items():
            if failed_on is not None:
                timeline.say(at, "file.reopened/", name, failed_on[0], False, 0, "it had failed")
        for number, key in enumerate(self.keys):
            assigned = [[name, 1, work.cost] for name, work in files.items() if work.owner == number]
            timeline.say(at, "run.assigned/", key, assigned)
        workers = [Worker(timeline, number, at + UP_SECONDS) for number in range(len(self.keys))]
        for name, work in files.items():
            workers[work.doer].do(name, work)
        for worker in workers:
            worker.stop()
        _say_depths(timeline, at, self.keys, files)
        timeline.say(max(worker.at for worker in workers) + 0.5, "run.finished/", 0, len(files), 0)
        timeline.events.sort(key=itemgetter(0))
        return timeline

    def _note(self, kind: str, fields: list[Any], source: str, epoch: int) -> None:
        """Keep what the next session has to know of an event."""
        match kind:
            case "worker.started/":
                self._running[source, epoch] = fields[0][0]
            case "worker.stopped/":
                del self._running[source, epoch]
            case "worker.lost/":
                del self._running[fields[1], fields[2]]
            case "file.committed/":
                del self._left[fields[1]]
            case "file.failed/" if fields[5]:
                self._left[fields[1]] = fields[0], fields[2]
            case "file.reopened/":
                self._left[fields[0]] = None


def _say_depths(timeline: Timeline, at: float, keys: Sequence[str], files: dict[str, Work]) -> None:
    """The queue depths, whenever a file is started for the first time."""
    starts = [(at, "")]
    starts += [(when, of[1]) for when, _, _, kind, of in timeline.events if kind == "file.started/" and of[2] == 1]
    pending = dict(files)
    for when, name in sorted(starts):
        pending.pop(name, None)
        depths = {key: sum(work.owner == number for work in pending.values()) for number, key in enumerate(keys)}
        timeline.say(when, "queue.depths/", depths)


def _works(devices: int) -> st.SearchStrategy[Work]:
    number = st.integers(0, devices - 1)
    return st.builds(
        Work,
        owner=number,
        doer=number,
        gap=st.sampled_from([0.125, 0.5, 9.0]),
        seconds=st.integers(1, 80).map(lambda count: count / 4) | st.just(70.0),
        sequences=st.integers(0, 5_000),
        failures=st.sampled_from([(), (), (), (), ("fails",), ("dies",), ("fails", "dies"), ("quits",)]),
        has_progress=st.booleans(),
        total=st.sampled_from([None, 0, 1_000, 5_000]),
        cost=st.integers(0, 10_000),
    )


@st.composite
def made_up_captures(draw: st.DrawFn, *, hosts: int = 1) -> MadeCapture:
    """Captures of runs with several sessions and boots, killed launchers, late and doubled events, clocks set."""
    made = MadeCapture()
    for name in ["node-a", "node-b"][:hosts]:
        clocks, devices, files = made.clocks[name], draw(st.integers(1, 3)), draw(st.integers(1, 16))
        clocks.mono, clocks.wall = (
            draw(st.sampled_from([50.0, 1e5])),
            clocks.wall + draw(st.sampled_from([0, 3600])),
        )
        host, at = MadeUpHost(made, name, devices, files), draw(st.sampled_from([0.0, 20.0]))
        some_works = st.lists(_works(devices), min_size=files, max_size=files)
        # Which boot an event is of cannot be seen where the clock was set as well.
        is_booted = draw(st.booleans())
        receive = _disturbed(draw(st.randoms(use_true_random=False)), None if is_booted else clocks)
        for killed_after in draw(st.lists(st.integers(1, 60), max_size=2)):
            at = host.session(at, draw(some_works), killed_after, receive)
            at += draw(st.sampled_from([60.0, 43_200.0] if is_booted else [2.0, 43_200.0]))
            if is_booted:
                clocks.mono = 50.0 - at
        host.session(at, draw(some_works), draw(st.sampled_from([math.inf, 40.0])), receive)
    return made


def _disturbed(dice: Random, clocks: HostClocks | None) -> Delivery:
    """Some events are late, doubled, or lost; now and then `clocks` are set back by ten minutes."""

    def receive(kind: str, may_be_late: bool) -> dict[str, Any]:
        if clocks is not None and dice.random() > 0.99:
            clocks.wall -= 600.0
        is_late = may_be_late and dice.random() > 0.8
        times = 0 if kind in CAN_BE_LOST and dice.random() > 0.8 else 1 + (dice.random() > 0.9)
        return {"delay": 0.25 * is_late, "times": times}

    return receive
