"""What is shown of twice the devices takes twice the steps, not four times: fleets have thousands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.log.metrics_log import MetricsLog
from monitor.model.collector import Collector, Failures
from monitor.prometheus.exposition import exposition
from monitor.view.frame import frame
from monitor.view.plain_line import line
from monitor.web.figures import page_figures
from tests.support.steps import steps
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.metrics import Effect
from virnucpro_bus.testing import Script

HOSTS = 2
FILES = 3


class FleetOfKnownEffect(FleetState):
    """A fleet that computes its effect once: that takes most of the steps, and is counted by itself."""

    _known: dict[str, Effect] | None = None

    def effects_by_host(self) -> dict[str, Effect]:
        if self._known is None:
            self._known = super().effects_by_host()
        return self._known


def fleet_of(devices: int) -> FleetOfKnownEffect:
    """Hosts whose GPUs are sampled, but not of late, and have each done all of their files but one."""
    fleet = FleetOfKnownEffect(ManualClock(), "node-0")
    for number in range(HOSTS):
        script = Script(host=f"node-{number}")
        gpus = [Device(f"GPU-{number}-{at:08x}", "H100", at) for at in range(devices // HOSTS)]
        script.say("coordinator", ev.RunStarted("job", "cost", tuple(gpus), FILES * len(gpus)))
        for gpu in gpus:
            planned = (ev.PlannedFile(f"{gpu.key}-{at}.fa", 100, 100 + 10 * at) for at in range(FILES))
            script.say("coordinator", ev.FilesAssigned(gpu.key, tuple(planned)))
            script.say(f"worker-{gpu.index}", ev.WorkerStarted(gpu, 100))
        script.say("coordinator", ev.QueueDepths({gpu.key: 1 for gpu in gpus}))
        for at in range(FILES - 1):
            for gpu in gpus:
                file = f"{gpu.key}-{at}.fa"
                script.say(f"worker-{gpu.index}", ev.FileStarted(gpu.key, file, 1))
                script.say(f"worker-{gpu.index}", ev.FileCompleted(gpu.key, file, 1, 100, 2.0 + at))
                script.say("sampler", ev.GpuSampled(gpu, 80.0, 50.0, 1, 4, 60.0, 300.0))
            script.clock.advance(10)
        fleet.feed(script.frames(), script.clock.mono_ns())
    return fleet


OUTPUTS = ("effect", "report", "model", "picture", "whole table", "line", "page", "metrics", "log")


def actions_on(devices: int, folder: Path) -> dict[str, Callable[[], object]]:
    clock, alone = ManualClock(), fleet_of(devices)
    fleet = FleetGroup({"a run": alone})
    collector = Collector(fleet, fleet, clock, Failures(), 2.0)
    model, log = collector.collect("", 1.0), MetricsLog(folder / f"{devices}.csv", clock)
    log.write(model.rows)
    return {
        "effect": lambda: FleetState.effects_by_host(alone),
        "report": fleet.report,
        "model": lambda: collector.collect("", 1.0),
        "picture": lambda: frame(model, 100, 30),
        "whole table": lambda: frame(model, 100, None),
        "line": lambda: line(model),
        "page": lambda: page_figures(model, model.rows, fleet.runs()),
        "metrics": lambda: exposition(fleet, None, clock),
        "log": lambda: log.write(model.rows),
    }


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Callable[[], object]]:
    return actions_on(48, tmp_path_factory.mktemp("few"))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Callable[[], object]]:
    return actions_on(96, tmp_path_factory.mktemp("many"))


@pytest.mark.parametrize("output", OUTPUTS)
def test_twice_the_devices_take_at_most_twice_the_steps(
    few: dict[str, Callable[[], object]], many: dict[str, Callable[[], object]], output: str
) -> None:
    assert steps(many[output]) <= 2.1 * steps(few[output])
