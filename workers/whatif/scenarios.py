"""What a recorded run would have been like with another policy, other devices or other weights.

The files that were completed, with the time that each took on its device, are worked off in the simulator: on
another device a file takes seconds x rate of its device / rate of the other one, rates as effect.py measures them.
Loading the job, and what lies between two files, is not simulated; each device comes in when it did then, and one
that was lost for good is lost when it was. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import TypedDict

from virnucpro_bus.devices import display_id
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.text import visible
from workers.schedule.plan import weights_for
from workers.schedule.policy_registry import POLICIES
from workers.whatif.recorded_run import Measured, RecordedRun
from workers.whatif.simulator import SimDevice, SimResult, simulate


class Alternative(TypedDict):
    """One line of the comparison."""

    name: str
    policy: str
    devices: int
    makespan_seconds: float | None
    """From the start of the first file to the end of the last; None where a file is left that nobody would do."""
    idle_seconds: float | None
    """Of all devices together; None where the makespan is."""
    device_seconds: float | None
    """What it costs: every device, from the start of the first file to the end of the last; None likewise."""
    steals: int


class WhatIf(TypedDict):
    """The object that `whatif --json` prints."""

    files: int
    """Files that were completed, and so are simulated."""
    files_left_out: int
    recorded: Alternative
    """How it really was."""
    alternatives: list[Alternative]


@dataclass(frozen=True)
class Variation:
    """What is to be different. None: as it was, or for the policy and the devices, all that is worth comparing."""

    policy: str | None = None
    devices: int | None = None
    weights: str | None = None
    drop: Sequence[str] = ()


def what_if(recording: RecordedRun, wish: Variation) -> WhatIf:
    """How it was beside how it would have been. Raises UserError for a wish that cannot be met."""
    devices = _wished(recording.devices, wish)
    policies = POLICIES if wish.policy is None else (wish.policy,)
    same = devices == list(recording.devices)
    name = "same devices" if same else f"{len(devices)} device{'' if len(devices) == 1 else 's'}"
    alternatives = [_simulated(recording, name, policy, devices, wish.weights) for policy in policies]
    if wish.devices is None and not wish.drop:
        # The number of weights given tells how many devices are meant.
        counts = [] if wish.weights not in (None, "auto", "off") else [len(devices) // 2, 2 * len(devices)]
        policy = policies[0] if len(policies) == 1 else _policy_of(recording)
        for count, called in zip(counts, ("half the devices", "double the devices"), strict=False):
            if count:
                chosen = _so_many(recording.devices, count)
                alternatives.append(_simulated(recording, called, policy, chosen, wish.weights))
    return WhatIf(
        files=len(recording.files),
        files_left_out=recording.files_left_out,
        recorded=_line(
            "recorded",
            recording.policy,
            len(recording.devices),
            recording.makespan_seconds,
            recording.idle_seconds,
            recording.steals,
        ),
        alternatives=alternatives,
    )


def _policy_of(recording: RecordedRun) -> str:
    """That of the run, or our last where it is none of ours."""
    return recording.policy if recording.policy in POLICIES else POLICIES[-1]


def _wished(devices: Sequence[Measured], wish: Variation) -> list[Measured]:
    left = list(devices)
    for name in wish.drop:
        found = [each for each in left if name in (each.device.key, str(display_id(each.device)))]
        if not found:
            names = ", ".join(visible(str(display_id(each.device))) for each in left) or "none is left"
            raise UserError(f"--drop {visible(name)}: no such device in the run; there are: {names}")
        left = [each for each in left if each not in found]
    if not left:
        raise UserError("--drop leaves no device to work on the files")
    return left if wish.devices is None else _so_many(left, wish.devices)


def _so_many(devices: Sequence[Measured], count: int) -> list[Measured]:
    """The first `count`; where there are fewer, more of middling speed."""
    joins = median([each.joins_at_seconds for each in devices if each.joins_at_seconds < inf] or [0.0])
    speed = median(each.speed for each in devices)
    more = [Measured(Device(f"added:{number}"), speed, joins) for number in range(count - len(devices))]
    return [*devices[:count], *more]


def _simulated(
    recording: RecordedRun, name: str, policy: str, devices: Sequence[Measured], weights: str | None
) -> Alternative:
    """The run with these devices; with its own plan where the devices are the same and no weights are wished."""
    names = [each.device.name for each in devices]
    shares, _ = weights_for("auto" if weights is None else weights, names)
    # The first file of these devices is the first that counts.
    zero = min((each.joins_at_seconds for each in devices if each.joins_at_seconds < inf), default=0.0)
    imagined = [_imagined(each, weight, zero) for each, weight in zip(devices, shares, strict=True)]
    plan: list[list[int]] | None = None
    if weights is None and list(devices) == list(recording.devices):
        at = {each.device.key: number for number, each in enumerate(devices)}
        plan = [[] for _ in devices]
        for place, owner in enumerate(recording.owners):
            plan[at[owner]].append(place)
    result = simulate(recording.files, imagined, policy, plan=plan)
    if None in result.worked_by:
        return _line(name, policy, len(devices), None, None, len(result.steals))
    makespan = result.makespan_seconds
    idle = max(0.0, len(devices) * makespan - _busy_seconds(recording, devices, result))
    return _line(name, policy, len(devices), makespan, idle, len(result.steals))


def _imagined(device: Measured, weight: float, zero_seconds: float) -> SimDevice:
    """The device, with times that count from `zero_seconds` on."""
    lost = device.lost_at_seconds
    return SimDevice(
        device.speed,
        weight,
        joins_at_seconds=device.joins_at_seconds - zero_seconds,
        lost_at_seconds=None if lost is None else max(0.0, lost - zero_seconds),
    )


def _busy_seconds(recording: RecordedRun, devices: Sequence[Measured], result: SimResult) -> float:
    return sum(
        file.work / devices[by].speed
        for file, by in zip(recording.files, result.worked_by, strict=True)
        if by is not None
    )


def _line(
    name: str, policy: str, devices: int, makespan: float | None, idle: float | None, steals: int
) -> Alternative:
    return Alternative(
        name=name,
        policy=policy,
        devices=devices,
        makespan_seconds=makespan,
        idle_seconds=idle,
        device_seconds=None if makespan is None else devices * makespan,
        steals=steals,
    )
