"""How long a run would take: the coordinator's own decisions, made for devices that are only imagined.

A discrete-event simulation over the very parts that a real run uses (assignment, Handout, policies). Exact, pure,
and without a clock: time is what the simulation says it is.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import inf

from virnucpro_bus.clock import NANOSECONDS
from workers.schedule.blame import Loss
from workers.schedule.plan import assign
from workers.schedule.policy_registry import make_policy
from workers.schedule.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class SimFile:
    """A file that takes `work` / speed seconds. `cost` is the estimate of its work that plan and policy go by."""

    work: float
    cost: int


@dataclass(frozen=True, slots=True)
class SimDevice:
    """A device that does `speed` units of work a second, and of which the plan believes `weight`.

    `changes` are (second, speed from then on), in order. It asks for files from `joins_at_seconds` on, inf for
    never; at `lost_at_seconds` its worker dies and it is retired, None for never. Speeds and weights are above 0.
    """

    speed: float = 1.0
    weight: float = 1.0
    changes: tuple[tuple[float, float], ...] = ()
    joins_at_seconds: float = 0.0
    lost_at_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class SimSteal:
    """Device `thief` took `file` (its place in `files`) out of the share of `victim`."""

    at_seconds: float
    thief: int
    victim: int
    file: int


@dataclass(frozen=True)
class SimResult:
    """What became of a simulated run; devices and files by their places in what was given."""

    makespan_seconds: float
    finish_seconds: tuple[float, ...]
    """When each device finished its last file; 0.0 where it had none."""
    idle_seconds: tuple[float, ...]
    """How long each device was there without a file, up to the end of the run."""
    worked_by: tuple[int | None, ...]
    """The device that did each file; None: no device was left for it."""
    steals: tuple[SimSteal, ...]
    requests: int
    """How often a device asked for a file."""


class _Happening(IntEnum):
    """What happens at one moment is dealt with in this order."""

    LOST = 0
    FINISHED = 1
    JOINED = 2
    LOOKED = 3


def simulate(
    files: Sequence[SimFile],
    devices: Sequence[SimDevice],
    policy: str,
    *,
    plan: Sequence[Sequence[int]] | None = None,
    steal_interval_seconds: float = 0.0,
) -> SimResult:
    """Work off `files` on `devices`, as a run with that policy does.

    `plan[d]` are the places of the files first given to device d; None: they are assigned as a run does it, by
    cost and weight. Raises UserError for an unknown policy.
    """
    return _Simulation(files, devices, policy, plan, steal_interval_seconds).run()


class _Simulation:
    def __init__(
        self,
        files: Sequence[SimFile],
        devices: Sequence[SimDevice],
        policy: str,
        plan: Sequence[Sequence[int]] | None,
        steal_interval_seconds: float,
    ) -> None:
        # Numbered by size, as the queues want it.
        self._order = sorted(range(len(files)), key=lambda place: -files[place].cost)
        self._work = [files[place].work for place in self._order]
        self._devices = devices
        costs = [files[place].cost for place in self._order]
        weights = [device.weight for device in devices]
        if plan is None:
            numbers = assign(costs, weights)
        else:
            number_of = {place: number for number, place in enumerate(self._order)}
            numbers = [[number_of[place] for place in places] for places in plan]
        self._policy = make_policy(policy, costs, weights, steal_interval_seconds)
        self._handout = Scheduler(numbers, self._policy, retries=0)
        self._happenings: list[tuple[float, _Happening, int]] = []
        self._idle: set[int] = set()
        self._looks: dict[int, float] = {}
        """When an idle device asks again by itself."""
        self._started: dict[int, float] = {}
        """When each busy device began its file."""
        self._busy_seconds = [0.0] * len(devices)
        self._finish = [0.0] * len(devices)
        self._gone_at = [inf] * len(devices)
        self._worked_by: list[int | None] = [None] * len(files)
        self._steals: list[SimSteal] = []
        self._requests = 0

    def run(self) -> SimResult:
        for number, device in enumerate(self._devices):
            self._happenings.append((device.joins_at_seconds, _Happening.JOINED, number))
            if device.lost_at_seconds is not None:
                self._happenings.append((device.lost_at_seconds, _Happening.LOST, number))
        heapq.heapify(self._happenings)
        handout, happenings = self._handout, self._happenings
        while happenings and handout.unsettled:
            now, what, number = heapq.heappop(happenings)
            self._happen(now, what, number)
        makespan = max(self._finish, default=0.0)
        return SimResult(
            makespan,
            tuple(self._finish),
            tuple(self._idle_seconds(device, makespan) for device in range(len(self._devices))),
            tuple(self._worked_by),
            tuple(self._steals),
            self._requests,
        )

    def _happen(self, now: float, what: _Happening, device: int) -> None:
        handout = self._handout
        if now >= self._gone_at[device]:
            return
        if what is _Happening.FINISHED:
            held = handout.held(device)
            assert held is not None
            started = self._started.pop(device)
            self._worked_by[self._order[held.file]] = device
            self._busy_seconds[device] += now - started
            self._finish[device] = now
            handout.complete(device, now - started, now)
            self._ask(device, now)
        elif what is _Happening.LOST:
            self._gone_at[device] = now
            self._idle.discard(device)
            if (began := self._started.pop(device, None)) is not None:
                self._busy_seconds[device] += now - began
            handout.lose(device, Loss.STOPPED, "lost", now)
            handout.retire(device)
        elif what is _Happening.JOINED or device in self._idle:
            self._ask(device, now)
        if self._idle and handout.pending and (what is _Happening.LOST or not self._policy.refusal_is_final):
            for other in sorted(self._idle - {device}):
                self._ask(other, now)

    def _ask(self, device: int, now: float) -> None:
        """The device, which has no file, asks for one."""
        self._requests += 1
        self._idle.discard(device)
        lease = self._handout.take(device, now)
        if lease is None:
            self._idle.add(device)
            again = self._policy.retry_at(device, now) if self._handout.pending else None
            if again is not None and self._looks.get(device) != again:
                self._looks[device] = again
                heapq.heappush(self._happenings, (again, _Happening.LOOKED, device))
            return
        self._started[device] = now
        if lease.victim is not None:
            self._steals.append(SimSteal(now, device, lease.victim, self._order[lease.file]))
        end = self._end(device, now, self._work[lease.file])
        heapq.heappush(self._happenings, (end, _Happening.FINISHED, device))

    def _end(self, device: int, now: float, work: float) -> float:
        """When the device has done `work` that it begins now, to the nanosecond, as clocks tell it: what happens
        at once must not be put in some order by how sums of seconds are rounded."""
        speed = self._devices[device].speed
        for second, changed in self._devices[device].changes:
            if second > now:
                if now + work / speed <= second:
                    break
                work -= (second - now) * speed
                now = second
            speed = changed
        return round((now + work / speed) * NANOSECONDS) / NANOSECONDS

    def _idle_seconds(self, device: int, makespan: float) -> float:
        here = min(makespan, self._gone_at[device]) - self._devices[device].joins_at_seconds
        return max(0.0, here - self._busy_seconds[device])
