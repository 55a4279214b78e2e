"""The outcome of one scenario: what the comparison needs to know of a simulated run. Pure.

Without stealing each device works off its own files, so the outcome is a sum, and nothing has to be simulated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from workers.whatif.recorded_run import Doubt, RecordedDevice, RecordedRun
from workers.whatif.simulator import SimDevice, SimFile, by_size, first_assignment, simulate


@dataclass(frozen=True)
class Scenario:
    """The recorded run with a policy and devices, not all of which it needs to have had."""

    name: str
    policy: str
    devices: tuple[RecordedDevice, ...]
    weights: tuple[float, ...]
    """Of the devices, for a new plan."""
    follows_plan: bool
    """Whether the devices have the files that they were first assigned in the recorded run."""

    @property
    def zero_seconds(self) -> float:
        """From when times count: when the first of the devices joins."""
        return min((each.joins_at_seconds for each in self.devices if each.joins_at_seconds < inf), default=0.0)


@dataclass(frozen=True)
class Outcome:
    """What a simulated run comes to."""

    makespan_seconds: float
    busy_seconds: float
    """Of all devices together."""
    steals: int
    is_complete: bool
    """Whether there was a device for every file."""


def outcome_of(recorded: RecordedRun, scenario: Scenario, doubt: Doubt | None) -> Outcome:
    """Return the outcome of a scenario if this end of a doubt about the run is true; None: as it was recorded."""
    run = recorded if doubt is None else recorded.if_true(doubt)
    # The devices of a run in doubt are as many, with other speeds.
    varied = {each.device.key: each for each in run.devices}
    # A run of late devices alone begins with them.
    starts = not all(each.is_late for each in scenario.devices)
    devices = [
        _sim_device(
            varied.get(each.device.key, each), weight, scenario.zero_seconds, is_late=each.is_late and starts
        )
        for each, weight in zip(scenario.devices, scenario.weights, strict=True)
    ]
    plan = _recorded_plan(recorded) if scenario.follows_plan else None
    if scenario.policy == "off" and all(device.lost_at_seconds is None for device in devices):
        return outcome_without_stealing(run.files, devices, plan=plan, gap_seconds=run.gap_seconds)
    result = simulate(run.files, devices, scenario.policy, plan=plan, gap_seconds=run.gap_seconds)
    return Outcome(
        result.makespan_seconds,
        math.fsum(result.busy_seconds),
        len(result.steals),
        None not in result.worked_by,
    )


def outcome_without_stealing(
    files: Sequence[SimFile],
    devices: Sequence[SimDevice],
    *,
    plan: Sequence[Sequence[int]] | None = None,
    gap_seconds: float = 0.0,
) -> Outcome:
    """Return the outcome of `simulate` with these arguments and the policy `off`, where no device is lost."""
    order = by_size(files)
    weights = [device.weight for device in devices if not device.is_late]
    makespan, busy, is_complete = 0.0, [], True
    # Late devices, which are the last ones, are assigned no files, and take none of others.
    for device, numbers in zip(devices, first_assignment(files, order, weights, plan), strict=False):
        if device.joins_at_seconds == inf:
            is_complete = is_complete and not numbers
            continue
        end = 0.0
        worked = 0.0
        for number in sorted(numbers):
            begin = end + gap_seconds if end else device.joins_at_seconds
            end = device.end_of(begin, files[order[number]].work)
            worked += end - begin
        makespan = max(makespan, end)
        busy.append(worked)
    return Outcome(makespan, math.fsum(busy), 0, is_complete)


def _recorded_plan(recorded: RecordedRun) -> list[list[int]]:
    """Return the numbers of the files that were first assigned to each device."""
    number_of = {each.device.key: number for number, each in enumerate(recorded.devices)}
    plan: list[list[int]] = [[] for _ in recorded.devices]
    for file, owner in enumerate(recorded.owners):
        plan[number_of[owner]].append(file)
    return plan


def _sim_device(device: RecordedDevice, weight: float, zero_seconds: float, *, is_late: bool) -> SimDevice:
    """Return the device for the simulator, with times that count from `zero_seconds`."""
    lost = device.lost_at_seconds
    return SimDevice(
        device.speed,
        weight,
        changes=tuple((second - zero_seconds, speed) for second, speed in device.changes),
        joins_at_seconds=device.joins_at_seconds - zero_seconds,
        lost_at_seconds=None if lost is None else max(0.0, lost - zero_seconds),
        is_late=is_late,
    )
