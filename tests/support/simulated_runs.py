"""Runs on devices of given speeds: the real coordinator on a clock that jumps from file to file."""

from __future__ import annotations

import heapq
import socket
from collections.abc import Sequence

from tests.support.driven_coordinator import ready
from tests.support.plans import input_files
from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script
from workers.coordinator.assignment import Assignment
from workers.coordinator.coordinator import WorkStealingCoordinator


class ImaginedRun:
    """`script` holds what launcher and workers would have published; a file takes its cost / speed seconds."""

    def __init__(
        self,
        costs: Sequence[int],
        speeds: Sequence[float],
        policy: str,
        weights: Sequence[float] | None = None,
        kind: str = "cpu",
        late: Sequence[tuple[float, float]] = (),
        shard: ev.Shard | None = None,
    ) -> None:
        """`kind` is that of the devices: "cpu", or "sim" for simulated GPUs. `shard` is that of the run.

        `late` are devices that join after the start, in that order, as (seconds, speed).
        """
        self.host = socket.gethostname()
        self.script = Script(host=self.host)
        self.devices = [ev.Device(f"{kind}:{at}", kind.upper(), at) for at in range(len(speeds))]
        self.coordinator = WorkStealingCoordinator(
            self.devices,
            input_files(costs),
            policy=policy,
            weights=weights,
            sink=self,
            clock=self.script.clock,
            shard=shard,
        )
        self._speeds = [*speeds, *(speed for _, speed in late)]
        self._began_ns = self.script.clock.mono_ns()
        self._joins_ns = [self._began_ns + round(seconds * NANOSECONDS) for seconds, _ in reversed(late)]
        """When devices join that have not yet; the next one last."""
        self._ends: list[tuple[int, int, Assignment]] = []

    def publish(self, event: ev.Fact) -> None:
        """The coordinator's way onto the bus."""
        self.script.say("coordinator", event)

    def work(self, until_seconds: float = float("inf")) -> None:
        """From the start until every file is done, or so long."""
        self.coordinator.start()
        for slot in range(len(self.devices)):
            self._begin(slot)
        clock = self.script.clock
        while self._ends:
            at_ns = min([self._ends[0][0], *self._joins_ns[-1:]])
            if at_ns - self._began_ns > until_seconds * NANOSECONDS:
                break
            clock.advance((at_ns - clock.mono_ns()) / NANOSECONDS)
            if at_ns in self._joins_ns[-1:]:
                self._join()
                continue
            _, slot, held = heapq.heappop(self._ends)
            key, seconds = self.devices[slot].key, held.file.cost / self._speeds[slot]
            self.script.say(f"worker-{slot}", ev.FileCompleted(key, held.file.id, held.attempt, 1, seconds))
            self.coordinator.record_file_completion(key, held.file.id, 1, seconds)
            self._take(slot)
        if self._ends:
            clock.advance(until_seconds - (clock.mono_ns() - self._began_ns) / NANOSECONDS)
        else:
            self.coordinator.finish(0)

    def _begin(self, slot: int) -> None:
        device = self.devices[slot]
        self.script.say(f"worker-{slot}", ev.WorkerStarted(device, 100))
        self.script.say(f"worker-{slot}", ready(device))
        self._take(slot)

    def _join(self) -> None:
        self._joins_ns.pop()
        at = len(self.devices)
        kind, _, _ = self.devices[0].key.partition(":")
        self.devices.append(ev.Device(f"{kind}:{at}", kind.upper(), at))
        assert self.coordinator.add_device(self.devices[at]) == at
        self._begin(at)

    def _take(self, slot: int) -> None:
        key, source = self.devices[slot].key, f"worker-{slot}"
        held = self.coordinator.next_file(key)
        if held is None:
            return
        if held.stolen_from is not None:
            stolen = ev.WorkStolen(key, held.stolen_from, held.file.id, held.attempt, held.stolen_at_ns)
            self.script.say(source, stolen)
        self.script.say(source, ev.FileStarted(key, held.file.id, held.attempt))
        end_ns = self.script.clock.mono_ns() + round(held.file.cost / self._speeds[slot] * NANOSECONDS)
        heapq.heappush(self._ends, (end_ns, slot, held))

    def fleet(self) -> FleetState:
        """What a viewer has folded of it, at this moment."""
        fleet = FleetState(self.script.clock, local_host=self.host)
        fleet.feed(self.script.frames())
        return fleet
