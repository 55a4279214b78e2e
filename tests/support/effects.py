"""Small runs, and the effect of stealing that is reported for them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.support.driven_coordinator import ready
from tests.support.simulated_runs import ImaginedRun
from virnucpro_bus import events as ev
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.metrics import Effect
from virnucpro_bus.testing import Script
from workers.whatif.recorded_run import make_recorded_run
from workers.whatif.scenarios import Variation, what_if


def effect_after(
    costs: list[int], speeds: list[float], policy: str = "threshold", until_seconds: float = math.inf
) -> Effect:
    run = ImaginedRun(costs, speeds, policy)
    run.work(until_seconds)
    return run.fleet().get_effect()


def told(script: Script) -> Effect:
    fleet = FleetState(script.clock, local_host="node")
    fleet.feed(script.frames())
    return fleet.get_effect()


def planned(
    owners: dict[str, str], cost: int = 10, policy: str = "threshold", loading: Sequence[str] = ()
) -> Script:
    """Two devices, of which those of these keys are not ready, and files that were given to them."""
    script = Script()
    devices = (Device("cpu:0"), Device("cpu:1"))
    script.say("coordinator", ev.RunStarted("job", policy, devices, len(owners)))
    for file, owner in owners.items():
        script.say("coordinator", ev.FilesAssigned(owner, (ev.PlannedFile(file, cost, cost),)))
    for slot, device in enumerate(devices):
        script.say(f"worker-{slot}", ev.WorkerStarted(device, 100))
        if device.key not in loading:
            script.say(f"worker-{slot}", ready(device))
    return script


def do(script: Script, device: str, file: str, seconds: float, stolen_from: str | None = None) -> None:
    """The next thing that happens is that a device does a file."""
    source = f"worker-{device[-1]}"
    if stolen_from is not None:
        script.say(source, ev.WorkStolen(device, stolen_from, file, 1, script.clock.wall_ns()))
    script.say(source, ev.FileStarted(device, file, 1))
    script.say(source, ev.FileCompleted(device, file, 1, 1, seconds), after_seconds=seconds)


def assert_that_nothing_is_known(effect: Effect) -> None:
    figures = {name: value for name, value in effect.items() if name not in ("steals", "moves")}
    assert not any(figures.values()), figures


def alternatives(script: Script, wish: Variation) -> list[tuple[str, float | None]]:
    """What `whatif` says of the run: names and makespans."""
    fleet = FleetState(script.clock)
    fleet.feed(script.frames())
    found = what_if(make_recorded_run(fleet), wish)
    return [(row["name"], row["makespan_seconds"]) for row in found["alternatives"]]
