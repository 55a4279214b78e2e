"""The simulator: how long a run would take, with the real scheduler and simulated devices.

A discrete-event simulation over the parts that a real run uses: plan, scheduler, policies. Exact and pure: no
clock, since the simulation itself computes the times.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import inf

from virnucpro_bus.clock import NANOSECONDS
from workers.schedule.ahead import SHORT_SECONDS
from workers.schedule.blame import Loss
from workers.schedule.plan import assign
from workers.schedule.policy_registry import make_policy
from workers.schedule.scheduler import Lease, Scheduler


@dataclass(frozen=True, slots=True)
class SimFile:
    """A file of a simulated run."""

    work: float
    """A device takes `work` / speed seconds for it."""
    cost: int
    """The estimate of `work` that plan and policy use."""


@dataclass(frozen=True, slots=True)
class SimDevice:
    """A device of a simulated run. Speed and weight are above 0."""

    speed: float = 1.0
    """Units of work per second."""
    weight: float = 1.0
    """The relative speed that the plan assumes."""
    changes: tuple[tuple[float, float], ...] = ()
    """Changes of speed, in order, as (seconds, speed from then on)."""
    joins_at_seconds: float = 0.0
    """When it first asks for a file; inf: never."""
    lost_at_seconds: float | None = None
    """When its worker dies and it is retired; None: never."""
    is_late: bool = False
    """Whether the run knows of it only when it joins: it has no files of its own."""

    def end_of(self, now: float, work: float) -> float:
        """Return when it finishes `work` that it starts now.

        Rounded to the nanosecond, so that no rounding of sums decides the order of simultaneous events.
        """
        speed = self.speed
        for second, changed in self.changes:
            if second > now:
                if now + work / speed <= second:
                    break
                work -= (second - now) * speed
                now = second
            speed = changed
        return round((now + work / speed) * NANOSECONDS) / NANOSECONDS


@dataclass(frozen=True, slots=True)
class SimSteal:
    """A steal of a simulated run. Devices and files are indices of what `simulate` was given."""

    at_seconds: float
    thief: int
    victim: int
    file: int


@dataclass(frozen=True)
class SimResult:
    """The result of a simulated run. Devices and files are indices of what `simulate` was given."""

    makespan_seconds: float
    finish_seconds: tuple[float, ...]
    """When each device finished its last file; 0.0 without one."""
    busy_seconds: tuple[float, ...]
    """How long each device worked on files."""
    idle_seconds: tuple[float, ...]
    """How long each device was in the run without a file."""
    worked_by: tuple[int | None, ...]
    """The device that completed each file; None: no device was left for it."""
    steals: tuple[SimSteal, ...]
    requests: int
    """How often a device asked for a file."""


class _EventKind(IntEnum):
    """The kinds of simulated events. Those of one moment are handled in this order."""

    LOST = 0
    FINISHED = 1
    JOINED = 2
    RETRIED = 3
    RECALLED = 4


def simulate(
    files: Sequence[SimFile],
    devices: Sequence[SimDevice],
    policy: str,
    *,
    plan: Sequence[Sequence[int]] | None = None,
    steal_interval_seconds: float = 0.0,
    gap_seconds: float = 0.0,
) -> SimResult:
    """Simulate a run over `files` on `devices` with that policy.

    Late ones are the last of `devices`, in the order in which they join, and not all are late. `plan[d]` are the
    indices of the files first assigned to device d; None: the plan is made as in a real run, by cost and weight.
    `gap_seconds` pass between two files of a device. Raises UserError for an unknown policy.
    """
    return _Simulation(files, devices, policy, plan, steal_interval_seconds, gap_seconds).run()


def by_size(files: Sequence[SimFile]) -> list[int]:
    """Return the indices of the files in the order in which queues number them: the biggest is first."""
    return sorted(range(len(files)), key=lambda index: -files[index].cost)


def first_assignment(
    files: Sequence[SimFile],
    order: Sequence[int],
    weights: Sequence[float],
    plan: Sequence[Sequence[int]] | None,
) -> list[Sequence[int]]:
    """Return the positions in `order` of the files that each device is assigned at the start: see `simulate`."""
    if plan is None:
        return assign([files[index].cost for index in order], weights)
    number_of = {index: number for number, index in enumerate(order)}
    return [[number_of[index] for index in indices] for indices in plan[: len(weights)]]


class _Simulation:
    """One simulated run. Device numbers are indices; the scheduler's file numbers are positions in `_order`."""

    def __init__(
        self,
        files: Sequence[SimFile],
        devices: Sequence[SimDevice],
        policy: str,
        plan: Sequence[Sequence[int]] | None,
        steal_interval_seconds: float,
        gap_seconds: float,
    ) -> None:
        self._order = by_size(files)
        self._work = [files[index].work for index in self._order]
        self._devices = devices
        self._gap_seconds = gap_seconds
        costs = [files[index].cost for index in self._order]
        weights = [device.weight for device in devices if not device.is_late]
        self._known = len(weights)
        """How many devices the scheduler knows: those after them join later."""
        numbers = first_assignment(files, self._order, weights, plan)
        self._policy = make_policy(policy, costs, weights, steal_interval_seconds)
        self._scheduler = Scheduler(numbers, self._policy, retries=0)
        self._events: list[tuple[float, _EventKind, int]] = []
        """A heap of (seconds, kind, device)."""
        self._idle: set[int] = set()
        self._retry_at: dict[int, float] = {}
        """When an idle device asks again though nothing else happens."""
        self._started_at: dict[int, float] = {}
        """When each busy device started its file."""
        self._busy_seconds = [0.0] * len(devices)
        self._finish_seconds = [0.0] * len(devices)
        self._lost_at = [inf] * len(devices)
        self._worked_by: list[int | None] = [None] * len(files)
        self._steals: list[SimSteal] = []
        self._requests = 0

    def run(self) -> SimResult:
        """Handle all events until every file is settled."""
        for number, simulated in enumerate(self._devices):
            self._events.append((simulated.joins_at_seconds, _EventKind.JOINED, number))
            if simulated.lost_at_seconds is not None:
                self._events.append((simulated.lost_at_seconds, _EventKind.LOST, number))
        heapq.heapify(self._events)
        scheduler, events = self._scheduler, self._events
        while events and scheduler.unsettled:
            now, kind, device = heapq.heappop(events)
            self._handle(now, kind, device)
        makespan = max(self._finish_seconds, default=0.0)
        return SimResult(
            makespan,
            tuple(self._finish_seconds),
            tuple(self._busy_seconds),
            tuple(self._idle_seconds(device, makespan) for device in range(len(self._devices))),
            tuple(self._worked_by),
            tuple(self._steals),
            self._requests,
        )

    def _handle(self, now: float, kind: _EventKind, device: int) -> None:
        scheduler = self._scheduler
        if now >= self._lost_at[device]:
            return
        if kind is _EventKind.JOINED and device >= self._known:
            self._known = scheduler.add_device(self._devices[device].weight, now) + 1
        if kind is _EventKind.FINISHED:
            held = scheduler.held(device)
            assert held is not None
            started = self._started_at.pop(device)
            self._worked_by[self._order[held.file]] = device
            self._busy_seconds[device] += now - started
            self._finish_seconds[device] = now
            scheduler.complete(device, now - started, now)
            if (following := scheduler.held(device)) is not None:
                self._begin(device, following, now)
            else:
                self._ask(device, now)
        elif kind is _EventKind.LOST:
            self._lost_at[device] = now
            self._idle.discard(device)
            if (began := self._started_at.pop(device, None)) is not None:
                self._busy_seconds[device] += now - began
            if device < self._known:
                self._take_back(device)
                scheduler.lose(device, Loss.STOPPED, "lost", now)
                scheduler.retire(device)
        elif kind is _EventKind.RECALLED:
            if self._started_at.get(device, inf) + SHORT_SECONDS <= now:
                self._take_back(device)
        elif kind is _EventKind.JOINED or device in self._idle:
            self._ask(device, now)
        if self._idle and scheduler.pending and (kind is _EventKind.LOST or not self._policy.refusal_is_final):
            for other in sorted(self._idle - {device}):
                self._ask(other, now)

    def _ask(self, device: int, now: float) -> None:
        """Let a device without a file ask for one."""
        self._requests += 1
        self._idle.discard(device)
        lease = self._scheduler.lease(device, now)
        if lease is None:
            self._idle.add(device)
            again = self._policy.retry_at(device, now) if self._scheduler.pending else None
            if again is not None and self._retry_at.get(device) != again:
                self._retry_at[device] = again
                heapq.heappush(self._events, (again, _EventKind.RETRIED, device))
            return
        self._begin(device, lease, now)

    def _begin(self, device: int, lease: Lease, now: float) -> None:
        """Let a device begin a file, and hold others ahead that are taken back if this one takes long."""
        start = now + self._gap_seconds if self._finish_seconds[device] else now
        self._started_at[device] = start
        if lease.victim is not None:
            self._steals.append(SimSteal(now, device, lease.victim, self._order[lease.file]))
        end = self._devices[device].end_of(start, self._work[lease.file])
        heapq.heappush(self._events, (end, _EventKind.FINISHED, device))
        if not self._scheduler.ahead(device):
            self._scheduler.lease_ahead(device, now)
        if end > start + SHORT_SECONDS and self._scheduler.ahead(device):
            heapq.heappush(self._events, (start + SHORT_SECONDS, _EventKind.RECALLED, device))

    def _take_back(self, device: int) -> None:
        """Make the files that a device holds ahead pending again."""
        for _ in range(self._scheduler.ahead(device)):
            self._scheduler.take_back(device)

    def _idle_seconds(self, device: int, makespan: float) -> float:
        present = min(makespan, self._lost_at[device]) - self._devices[device].joins_at_seconds
        return max(0.0, present - self._busy_seconds[device])
