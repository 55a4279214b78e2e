"""Scenarios: how long a recorded run would have taken with another policy, other devices or other weights. Pure.

The simulator runs the files that were completed, with the time that each took on its device; on another device a
file takes seconds x rate of its device / rate of the other device, with the rates of effect/speeds.py. Between two
files of a device passes the time that was lost there in the recorded run, also by failed attempts. Loading the job
is not simulated. Each device joins, changes its speed, and is lost for good when it was in the recorded run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median

from virnucpro_bus.devices import display_id
from virnucpro_bus.effect.effect import range_of
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.metrics import Range
from virnucpro_bus.text import visible
from virnucpro_bus.whatif import Alternative, WhatIf
from workers.schedule.plan import weights_for
from workers.schedule.policy_registry import DASK_POLICY, POLICIES
from workers.whatif.outcome import Outcome, Scenario, outcome_of
from workers.whatif.recorded_run import Doubt, RecordedDevice, RecordedRun, make_recorded_run


@dataclass(frozen=True)
class Simulation:
    """One of the simulations that a comparison needs."""

    scenario: int
    """The number of its scenario."""
    doubt: Doubt | None
    """What is different from the recorded run; None: nothing."""


SimulateAll = Callable[[RecordedRun, Sequence[Scenario], Sequence[Simulation]], Sequence[Outcome]]
"""Returns the outcome of each simulation of these scenarios of a recorded run."""


@dataclass(frozen=True)
class Variation:
    """How the simulated runs differ from the recorded one."""

    policy: str | None = None
    """None: every policy."""
    devices: int | None = None
    """How many; None: as many as recorded, and unless some are dropped, half and double as many too."""
    weights: str | None = None
    """As for `--weights`, for a new plan; None: the recorded plan when the devices are the same, else "auto"."""
    drop: Sequence[str] = ()
    """Devices to leave out, each by its key or its displayed id."""


def compare(fleet: FleetState) -> WhatIf:
    """Compare a folded run with all policies, and with half and double the devices. Raises UserError."""
    return what_if(make_recorded_run(fleet), Variation())


def simulate_in_turn(
    recorded: RecordedRun, scenarios: Sequence[Scenario], simulations: Sequence[Simulation]
) -> list[Outcome]:
    """Return the outcome of each simulation, one after the other."""
    return [outcome_of(recorded, scenarios[each.scenario], each.doubt) for each in simulations]


def what_if(recorded: RecordedRun, variation: Variation, simulate_all: SimulateAll = simulate_in_turn) -> WhatIf:
    """Compare the recorded run with simulated ones. Raises UserError for a variation that does not fit the run."""
    scenarios = _scenarios(recorded, variation)
    # Each without a doubt, and then with each end of each doubt.
    doubts = [None, *(end for ends in recorded.doubts() for end in ends)]
    simulations = [Simulation(number, doubt) for number in range(len(scenarios)) for doubt in doubts]
    outcomes = simulate_all(recorded, scenarios, simulations)
    makespan = recorded.makespan_seconds
    return WhatIf(
        files=len(recorded.files),
        files_left_out=recorded.files_left_out,
        recorded=_alternative(
            "recorded",
            recorded.policy,
            len(recorded.devices),
            makespan,
            None,
            recorded.idle_seconds,
            None if makespan is None else _device_seconds(recorded.devices, makespan),
            recorded.steals,
        ),
        alternatives=[
            _alternative_of(scenario, *outcomes[at : at + len(doubts)])
            for scenario, at in zip(scenarios, range(0, len(outcomes), len(doubts)), strict=True)
        ],
        note=_note(recorded.policy),
    )


def _scenarios(recorded: RecordedRun, variation: Variation) -> list[Scenario]:
    """Return the scenarios to simulate. Raises UserError for a variation that does not fit the run."""
    devices = _select_devices(recorded.devices, variation)
    policies = POLICIES if variation.policy is None else (variation.policy,)
    same = devices == list(recorded.devices)
    name = "same devices" if same else f"{len(devices)} device{'' if len(devices) == 1 else 's'}"
    scenarios = [_scenario(recorded, name, policy, devices, variation.weights) for policy in policies]
    if variation.devices is None and not variation.drop:
        # Explicit weights fix the number of devices.
        counts = [] if variation.weights not in (None, "auto", "off") else [len(devices) // 2, 2 * len(devices)]
        policy = policies[0] if len(policies) == 1 else _policy_of(recorded)
        for count, called in zip(counts, ("half the devices", "double the devices"), strict=False):
            if count:
                chosen = _resize(recorded.devices, count)
                scenarios.append(_scenario(recorded, called, policy, chosen, variation.weights))
    return scenarios


def _note(policy: str) -> str | None:
    """Say that the policy of the run is not among those that are simulated; None: it is, or is unknown."""
    if policy == DASK_POLICY:
        return "the policy dask cannot be simulated: Dask's own scheduler decided"
    return None if policy in ("", *POLICIES) else "the policy of the run is none of those that can be simulated"


def _policy_of(recorded: RecordedRun) -> str:
    """Return the policy of the run, or the last of POLICIES if this version does not know it."""
    return recorded.policy if recorded.policy in POLICIES else POLICIES[-1]


def _select_devices(devices: Sequence[RecordedDevice], variation: Variation) -> list[RecordedDevice]:
    """Return the devices without those to drop, and as many as the variation asks for."""
    remaining = list(devices)
    for name in variation.drop:
        found = [each for each in remaining if name in (each.device.key, str(display_id(each.device)))]
        if not found:
            names = ", ".join(visible(str(display_id(each.device))) for each in remaining) or "none"
            raise UserError(f"--drop {visible(name)}: is not a device of the run; choose from: {names}")
        remaining = [each for each in remaining if each not in found]
    if not remaining:
        raise UserError("--drop: leaves no device for the files; drop fewer devices")
    return remaining if variation.devices is None else _resize(remaining, variation.devices)


def _resize(devices: Sequence[RecordedDevice], count: int) -> list[RecordedDevice]:
    """Return the first `count` devices, or all of them and new ones of median speed."""
    first = [each for each in devices if not each.is_late]
    joins = median([each.joins_at_seconds for each in first if each.joins_at_seconds < inf] or [0.0])
    speed = median(each.last_speed for each in devices)
    added = (Device(f"added:{number}") for number in range(count - len(devices)))
    more = [RecordedDevice(device, speed, (), (1.0, 1.0), joins) for device in added]
    return [*first, *more, *devices[len(first) :]][:count]


def _scenario(
    recorded: RecordedRun, name: str, policy: str, devices: Sequence[RecordedDevice], weights: str | None
) -> Scenario:
    """Return a scenario with these devices; by the recorded plan if they are the same and `weights` is None."""
    relative_speeds, _ = weights_for(
        "auto" if weights is None else weights, [each.device.name for each in devices]
    )
    follows_plan = weights is None and list(devices) == list(recorded.devices)
    return Scenario(name, policy, tuple(devices), tuple(relative_speeds), follows_plan)


def _alternative_of(scenario: Scenario, outcome: Outcome, *in_doubt: Outcome) -> Alternative:
    """Return the scenario's row. `in_doubt` are its outcomes with the two ends of each doubt, in turn."""
    name, policy, devices = scenario.name, scenario.policy, scenario.devices
    if not outcome.is_complete:
        return _alternative(name, policy, len(devices), None, None, None, None, outcome.steals)
    makespan = outcome.makespan_seconds
    ends = [each.makespan_seconds for each in in_doubt]
    likely = range_of(makespan, zip(ends[::2], ends[1::2], strict=True))
    present = _device_seconds(devices, makespan, scenario.zero_seconds)
    idle = max(0.0, present - outcome.busy_seconds)
    return _alternative(name, policy, len(devices), makespan, likely, idle, present, outcome.steals)


def _device_seconds(devices: Sequence[RecordedDevice], makespan: float, begin: float = 0.0) -> float:
    """How long all devices together take part in a run of that length that begins then."""
    return math.fsum(each.present_seconds(makespan, begin) for each in devices)


def _alternative(
    name: str,
    policy: str,
    devices: int,
    makespan: float | None,
    makespan_range: Range | None,
    idle: float | None,
    device_seconds: float | None,
    steals: int,
) -> Alternative:
    return Alternative(
        name=name,
        policy=policy,
        devices=devices,
        makespan_seconds=makespan,
        makespan_range=makespan_range,
        idle_seconds=idle,
        device_seconds=device_seconds,
        steals=steals,
    )
