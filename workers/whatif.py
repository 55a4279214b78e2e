"""What a recorded run would have been like with another policy, other devices or other weights.

The files that were completed, with the time that each took on its device, are worked off in the simulator: on
another device a file takes seconds x rate of its device / rate of the other one, rates as effect.py measures them.
Loading the job, and what lies between two files, is not simulated; each device comes in when it did then. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TypedDict

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.devices import display_id
from virnucpro_bus.errors import UserError
from virnucpro_bus.events import Device
from virnucpro_bus.fleet import FleetState
from virnucpro_bus.shares import shares_of
from virnucpro_bus.text import visible
from workers.assignment import weights_for
from workers.policies import POLICIES
from workers.simulator import SimDevice, SimFile, SimResult, simulate


class Alternative(TypedDict):
    """One line of the comparison."""

    name: str
    policy: str
    devices: int
    makespan_seconds: float | None
    """From the start of the first file to the end of the last."""
    idle_seconds: float | None
    """Of all devices together."""
    device_seconds: float | None
    """What it costs: every device, from the start of the first file to the end of the last."""
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
class Wish:
    """What is to be different. None: as it was, or for the policy and the devices, all that is worth comparing."""

    policy: str | None = None
    devices: int | None = None
    weights: str | None = None
    drop: Sequence[str] = ()


@dataclass(frozen=True)
class Measured:
    """A device as the run has shown it."""

    device: Device
    speed: float
    joins_at_seconds: float


@dataclass(frozen=True)
class Recording:
    """The run as it was."""

    files: tuple[SimFile, ...]
    owners: tuple[str, ...]
    """The device that each file was first given to, by key."""
    devices: tuple[Measured, ...]
    files_left_out: int
    recorded: Alternative


def recording_of(fleet: FleetState) -> Recording:
    """What the fold of a capture tells of its run. Raises UserError when that is not enough."""
    works, effect = fleet.get_work(), fleet.get_effect()
    if len(works) != 1:
        how = "several hosts have" if works else "nobody has"
        raise UserError(f"{how} recorded a plan in this capture: what-if needs the run of one host")
    (work,) = works
    sums = work.book.sums(work.look.started_ns)
    shares = shares_of(sums, work.look)
    rates = {key: rate for key, share in shares.items() if (rate := share.rate) is not None}
    if work.book.passed_over or not rates:
        raise UserError("no file of the plan was completed, as far as it was recorded: there is nothing to go by")
    mean = fmean(rates.values())
    known = {device.key: device for device in work.run.devices} if work.run is not None else {}
    begun = {key: share.first_ns for key, share in shares.items() if share.first_ns is not None}
    zero_ns = min(begun.values())
    devices = tuple(
        Measured(
            known.get(key, Device(key)),
            rates.get(key, mean),
            max(0, begun.get(key, zero_ns) - zero_ns) / NANOSECONDS,
        )
        for key in [*known, *(key for key in shares if key not in known)]
    )
    files = list(sums.files())
    return Recording(
        tuple(SimFile(done.seconds * rates[done.device], cost) for _, cost, done in files),
        tuple(owner for owner, _, _ in files),
        devices,
        sums.planned - len(files),
        _line(
            "recorded",
            "" if work.run is None else work.run.policy,
            len(devices),
            effect["makespan_seconds"],
            sum(effect["idle_seconds"].values()),
            effect["moves"],
        ),
    )


def what_if(recording: Recording, wish: Wish) -> WhatIf:
    """How it was beside how it would have been. Raises UserError for a wish that cannot be met."""
    devices = _wished(recording.devices, wish)
    policies = POLICIES if wish.policy is None else (wish.policy,)
    same = devices == list(recording.devices)
    name = "same devices" if same else f"{len(devices)} devices"
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
        recorded=recording.recorded,
        alternatives=alternatives,
    )


def _policy_of(recording: Recording) -> str:
    """That of the run, or our last where it is none of ours."""
    policy = recording.recorded["policy"]
    return policy if policy in POLICIES else POLICIES[-1]


def _wished(devices: Sequence[Measured], wish: Wish) -> list[Measured]:
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
    joins = median(each.joins_at_seconds for each in devices)
    speed = median(each.speed for each in devices)
    more = [Measured(Device(f"added:{number}"), speed, joins) for number in range(count - len(devices))]
    return [*devices[:count], *more]


def _simulated(
    recording: Recording, name: str, policy: str, devices: Sequence[Measured], weights: str | None
) -> Alternative:
    """The run with these devices; with its own plan where the devices are the same and no weights are wished."""
    names = [each.device.name for each in devices]
    shares, _ = weights_for("auto" if weights is None else weights, names)
    imagined = [
        SimDevice(each.speed, weight, joins_at_seconds=each.joins_at_seconds)
        for each, weight in zip(devices, shares, strict=True)
    ]
    plan: list[list[int]] | None = None
    if weights is None and list(devices) == list(recording.devices):
        at = {each.device.key: number for number, each in enumerate(devices)}
        plan = [[] for _ in devices]
        for place, owner in enumerate(recording.owners):
            plan[at[owner]].append(place)
    result = simulate(recording.files, imagined, policy, plan=plan)
    return _line(
        name,
        policy,
        len(devices),
        result.makespan_seconds,
        max(0.0, len(devices) * result.makespan_seconds - _busy_seconds(recording, devices, result)),
        len(result.steals),
    )


def _busy_seconds(recording: Recording, devices: Sequence[Measured], result: SimResult) -> float:
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
