"""A real coordinator, driven as the pool drives it, and everything that it publishes meanwhile."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from hypothesis import strategies as st

from tests.support.plans import input_files
from virnucpro_bus import events as ev
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.testing import Script
from workers.coordinator.assignment import Assignment
from workers.coordinator.coordinator import WorkStealingCoordinator

DEVICES = (Device("GPU-a", "A100", 0), Device("GPU-b", "V100", 1), Device("cpu:0", "CPU"))
LATE = Device("GPU-c", "A100", 2)
"""Joins a run after its start, if at all."""


def ready(device: Device) -> ev.Heartbeat:
    """What a worker says when it has loaded its job."""
    return ev.Heartbeat(device.key, "idle", 0, 0, 0, 0, 0)


class CoordinatedRun:
    """Coordinator and workers in one thread; `script` holds what they have published."""

    def __init__(self, costs: Sequence[int], retries: int = 0) -> None:
        self.script = Script(host=socket.gethostname())
        self.coordinator = WorkStealingCoordinator(
            DEVICES, input_files(costs), retries=retries, sink=self, clock=self.script.clock, job="job"
        )
        self.devices = list(DEVICES)
        self._epochs = dict.fromkeys((*DEVICES, LATE), 0)
        self._loading: set[Device] = set()
        self._held: dict[Device, Assignment] = {}
        self.coordinator.start()
        for device in DEVICES:
            self._start(device)

    def publish(self, event: ev.Fact) -> None:
        """The coordinator's way onto the bus."""
        self.script.say("coordinator", event)

    def join(self) -> None:
        """LATE joins the run."""
        self.coordinator.add_device(LATE, 2.0)
        self.devices.append(LATE)
        self._start(LATE)

    def _start(self, device: Device) -> None:
        self._epochs[device] += 1
        self._loading.add(device)
        self._say(device, ev.WorkerStarted(device, 100))

    def _say(self, device: Device, event: ev.Fact) -> ev.Envelope:
        return self.script.say(f"worker-{device.key}", event, epoch=self._epochs[device])

    def take(self, device: Device, *, silently: bool = False) -> None:
        """The worker asks for a file; `silently`: it says nothing of it, for it dies before it can."""
        if device in self._held or self.coordinator.is_retired(device.key):
            return
        if device in self._loading:
            self._loading.remove(device)
            self._say(device, ready(device))
        assignment = self.coordinator.next_file(device.key)
        self.coordinator.publish_depths()
        if assignment is None:
            return
        self._held[device] = assignment
        if silently:
            self.die(device)
            return
        file, attempt, victim = assignment.file.id, assignment.attempt, assignment.stolen_from
        if victim is not None:
            self._say(device, ev.WorkStolen(device.key, victim, file, attempt, assignment.stolen_at_ns))
        self._say(device, ev.FileStarted(device.key, file, attempt))

    def complete(self, device: Device) -> None:
        """The worker has finished the file in hand, some time before the coordinator hears of it."""
        held = self._held.pop(device, None)
        if held is None:
            return
        sequences = 10 * held.file.cost
        done = self._say(device, ev.FileCompleted(device.key, held.file.id, held.attempt, sequences, 1.5))
        self.script.clock.advance(0.125)
        self.coordinator.record_file_completion(
            device.key, held.file.path, sequences, 1.5, wall_ns=done.wall_ns, mono_ns=done.mono_ns
        )
        self.coordinator.announce([self.coordinator.commit_event(device.key, held, 2, 100)])

    def fail(self, device: Device) -> None:
        """The attempt at the file in hand fails."""
        held = self._held.pop(device, None)
        if held is None:
            return
        failed = self._say(device, ev.FileFailed(device.key, held.file.id, held.attempt, "bad", 0.5, held.is_last))
        self.coordinator.record_file_failure(
            device.key, held.file.id, "bad", 0.5, wall_ns=failed.wall_ns, mono_ns=failed.mono_ns
        )

    def die(self, device: Device) -> None:
        """The worker is killed and, unless its device is retired, started again."""
        self._held.pop(device, None)
        self.coordinator.worker_lost(device.key, f"worker-{device.key}", self._epochs[device], "was killed")
        self.coordinator.publish_depths()
        if not self.coordinator.is_retired(device.key):
            self._start(device)

    def finish(self) -> None:
        """Work off what is left, as far as it can be, and end."""
        for _ in range(100):
            for device in self.devices:
                self.take(device)
                self.complete(device)
        self.coordinator.finish(0)


ACTIONS = ("take",) * 4 + ("complete",) * 3 + ("take and die", "die", "fail")


@st.composite
def coordinated_runs(draw: st.DrawFn) -> CoordinatedRun:
    """Runs of a real coordinator that have been worked on for a while."""
    run = CoordinatedRun(draw(st.lists(st.integers(1, 50), max_size=20)), draw(st.integers(0, 2)))
    length = draw(st.sampled_from([0, 10, 40]))
    steps = st.tuples(
        st.sampled_from((*DEVICES, LATE)), st.sampled_from(ACTIONS), st.sampled_from([0.0, 0.25, 3.0])
    )
    for device, action, pause in draw(st.lists(steps, min_size=length, max_size=length)):
        run.script.clock.advance(pause)
        if device not in run.devices:
            run.join()
        match action:
            case "take" | "take and die":
                run.take(device, silently=action == "take and die")
            case _:
                getattr(run, action)(device)
    return run
