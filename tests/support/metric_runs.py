"""A run of which every metric is known, and the samples that a scrape of a fleet holds."""

from __future__ import annotations

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.samples import Sample

from monitor.prometheus.exposition import exposition
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.report import Reportable
from virnucpro_bus.testing import Script

OPENMETRICS = "application/openmetrics-text;version=1.0.0"
STEPS = 4
"""Rounds of files that each device does."""


def known_run(devices: int = 2, *, host: str = "node1", run: str = "run-1", model: str = "NVIDIA A100") -> Script:
    """Every device has done some files; device 1, where there is one, has stolen from device 0; files are left."""
    script = Script(host=host, run=run)
    gpus = [Device(f"GPU-{index:08d}", model, index) for index in range(devices)]
    files = {gpu.key: [f"{gpu.index}-{step}.fa" for step in range(STEPS + 2)] for gpu in gpus}
    script.say("coordinator", ev.RunStarted("my_model:classify", "cost", tuple(gpus), devices * (STEPS + 2)))
    for key, its_files in files.items():
        plan = tuple(ev.PlannedFile(file, 1000, 1000) for file in its_files)
        script.say("coordinator", ev.FilesAssigned(key, plan))
    for gpu in gpus:
        script.say(f"worker-{gpu.index}", ev.WorkerStarted(gpu, 100, is_loading=True))
    script.clock.advance(8)
    for gpu in gpus:
        script.say(f"worker-{gpu.index}", ev.Heartbeat(gpu.key, "idle", 0, 0, 0, 0, 0, 8_000, 1 << 30, 0))
    for step in range(STEPS):
        doing = {gpu: files[gpu.key][step] for gpu in gpus}
        if step == 1 and devices > 1:
            doing[gpus[1]] = stolen = files[gpus[0].key][-1]
            script.say("worker-1", ev.WorkStolen(gpus[1].key, gpus[0].key, stolen, 1, script.clock.wall_ns()))
        for gpu, file in doing.items():
            script.say(f"worker-{gpu.index}", ev.FileStarted(gpu.key, file, 1))
        script.clock.advance(10)
        for gpu, file in doing.items():
            done = ev.FileCompleted(gpu.key, file, 1, 100, 10.0 - (gpu.index or 0) % 4)
            script.say(f"worker-{gpu.index}", done)
            script.say("coordinator", ev.FileCommitted(gpu.key, file, 1, 1, 1, sequences=100))
    for gpu in gpus:
        source = f"worker-{gpu.index}"
        counts = STEPS, 0, 100 * STEPS, int(gpu.index == 1), 0
        script.say(source, ev.Heartbeat(gpu.key, "idle", *counts, 8_000 + 25_000 * STEPS, 3 << 30, STEPS << 30))
        script.say("sampler", ev.GpuSampled(gpu, 75.0, 25.0, 20 * 10**9, 80 * 10**9, 61.0, 250.5, False, 7_500))
    script.say("coordinator", ev.QueueDepths(dict.fromkeys(files, 1)))
    return script


def folded(*scripts: Script) -> FleetState:
    """What a viewer knows that has just received all of it."""
    clock = ManualClock()
    fleet = FleetState(clock)
    for script in scripts:
        fleet.feed(script.frames(), clock.mono_ns())
    return fleet


def scraped(fleet: Reportable, accept: str | None = None) -> str:
    """The metrics of a fleet, collected in no time."""
    body, _ = exposition(fleet, accept, ManualClock())
    return body.decode()


def read(exposition: str) -> list[Sample]:
    """The samples that a scraper reads, in either format."""
    parse = parse_openmetrics if exposition.endswith("# EOF\n") else parse_text
    return [sample for family in parse(exposition) for sample in family.samples]


def samples(fleet: Reportable, name: str | None = None) -> list[Sample]:
    """What a scraper reads, in both formats alike; of one metric only, if it is named."""
    found = read(scraped(fleet))
    assert found == read(scraped(fleet, OPENMETRICS))
    return [sample for sample in found if name is None or sample.name == name]
