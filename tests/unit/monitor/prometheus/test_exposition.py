"""What a scrape of /metrics gets: pinned names, known figures only, and nothing that an event could break.

Update the golden files with:  UPDATE_GOLDENS=1 .venv/bin/pytest tests/unit/monitor/prometheus
"""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise

import pytest

from monitor.prometheus.device_metrics import STATES
from monitor.prometheus.exposition import exposition
from tests.support.harmful_texts import HARM, assert_harmless, seen
from tests.support.layouts import laid_out
from tests.support.metric_runs import OPENMETRICS, folded, known_run, samples, scraped
from tests.support.paths import DATA, GOLDEN
from virnucpro_bus import events as ev
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.testing import Script

PER_DEVICE, PER_RUN = 30, 30
"""How many series there may be at most."""
# An event cannot hold a surrogate; the name of a folder can, see below.
HARMFUL = [*(text for text in HARM if text != "\udcff"), '"} 1\nvirnucpro_files_planned 7', "\\", "\\n", 'a\\"b']
CAPTURES = sorted((DATA / "captures").glob("*/run.vbus"))


@pytest.mark.parametrize(("name", "accept"), [("text", None), ("openmetrics", OPENMETRICS)])
def test_names_labels_and_units_are_as_promised(name: str, accept: str | None) -> None:
    golden = GOLDEN / "prometheus" / f"{name}.txt"
    printed = scraped(folded(known_run()), accept).replace(f'version="{own_version()}"', 'version="VERSION"')
    if os.environ.get("UPDATE_GOLDENS"):
        golden.write_text(printed, encoding="utf-8")
    assert printed == golden.read_text(encoding="utf-8")


def own_version() -> str:
    [info] = samples(folded(known_run()), "virnucpro_run_info")
    return info.labels["version"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "text/plain; version=0.0.4; charset=utf-8"),
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html, ;;q=,,/", "text/plain; version=0.0.4; charset=utf-8"),
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
def test_the_scraper_chooses_the_format(accept: str | None, content_type: str) -> None:
    body, found = exposition(folded(known_run()), accept)
    assert found.split("; escaping")[0] == content_type
    assert body.endswith(b"# EOF\n") is (accept == OPENMETRICS)


@pytest.mark.parametrize("devices", [1, 6, 64])
def test_the_number_of_series_depends_on_the_devices_alone(devices: int) -> None:
    fleet = folded(known_run(devices))
    assert len(fleet.get_gpu_metrics()) == devices
    found = samples(fleet)
    of_devices = [sample for sample in found if "gpu" in sample.labels]
    # Every figure is known: the limit is tried at its worst.
    assert {sample.name for sample in found} == names_in_golden()
    assert len(of_devices) <= PER_DEVICE * devices
    assert len(found) - len(of_devices) <= PER_RUN


def names_in_golden() -> set[str]:
    lines = (GOLDEN / "prometheus" / "text.txt").read_text(encoding="utf-8").splitlines()
    return {line.partition("{")[0].partition(" ")[0] for line in lines if not line.startswith("#")}


def test_a_figure_that_is_unknown_has_no_sample() -> None:
    script = Script()
    script.say("w0", ev.WorkerStarted(Device("cpu:0", "CPU worker", 0), 100))
    found = {sample.name: sample.value for sample in samples(folded(script))}
    assert found["virnucpro_files_completed_total"] == 0
    for unknown in ("gpu_power_watts", "gpu_energy_joules_total", "queue_files"):
        assert f"virnucpro_{unknown}" not in found
    for unknown in ("run_finished", "files_planned", "makespan_seconds", "stealing_saved_seconds"):
        assert f"virnucpro_{unknown}" not in found


def test_the_figures_of_a_gpu_go_when_its_samples_stop() -> None:
    clock = ManualClock()
    fleet = FleetState(clock)
    fleet.feed(known_run(1).frames(), clock.mono_ns())
    assert samples(fleet, "virnucpro_gpu_power_watts")
    clock.advance(4)
    assert not samples(fleet, "virnucpro_gpu_power_watts")
    assert samples(fleet, "virnucpro_device_state")


def test_a_device_that_has_gone_loses_its_series() -> None:
    script = Script()
    script.say("sampler", ev.GpuSampled(Device("GPU-a", "A100", 0), 50.0))
    script.say("sampler", ev.GpuSampled(Device("GPU-b", "A100", 1), 50.0))
    assert {sample.labels["UUID"] for sample in samples(folded(script), "virnucpro_device_info")} == {
        "GPU-a",
        "GPU-b",
    }
    # A run is announced that uses one of them.
    script.say("coordinator", ev.RunStarted("job", "off", (Device("GPU-a", "A100", 0),), 1))
    found = {sample.labels["UUID"] for sample in samples(folded(script)) if "gpu" in sample.labels}
    assert found == {"GPU-a"}


def test_a_device_is_in_one_state() -> None:
    found = samples(folded(known_run(1)), "virnucpro_device_state")
    assert [sample.labels["state"] for sample in found] == list(STATES)
    assert [sample.labels["state"] for sample in found if sample.value] == ["idle"]


@pytest.mark.parametrize(
    "text", [*(text for text in HARM if text != "\udcff"), '"} 1\nvirnucpro_files_planned 7', "\\", "\\n", 'a\\"b']
)
def test_harmful_names_reach_a_scraper_as_text_that_is_seen(text: str) -> None:
    fleet = folded(known_run(1, host=f"a{text}", run=f"b{text}", model=f"c{text}"))
    assert_harmless(scraped(fleet))
    [info] = samples(fleet, "virnucpro_device_info")
    found = [info.labels[name] for name in ("hostname", "run", "model")]
    assert found == [seen(f"{letter}{text}") for letter in "abc"]
    assert len(samples(fleet)) == len(samples(folded(known_run(1))))


def test_names_that_are_shown_alike_do_not_make_a_series_twice() -> None:
    found = samples(folded(known_run(1, host="a\x1b"), known_run(1, host="a\\x1b")))
    each = [(sample.name, *sorted(sample.labels.items())) for sample in found if "gpu" in sample.labels]
    assert each
    assert len(set(each)) == len(each)


def test_each_of_several_runs_has_its_own_figures() -> None:
    first, second = known_run(1, run="a"), known_run(2, run="a")
    group = FleetGroup({"/data/\udcff": folded(first), "/data/two": folded(second)})
    found = samples(group, "virnucpro_run_files_completed")
    assert [(sample.labels, sample.value) for sample in found] == [
        ({"run": "/data/\\xff"}, 4),
        ({"run": "/data/two"}, 8),
    ]
    assert len(samples(group, "virnucpro_busy_seconds")) == 3


def test_one_run_alone_has_the_name_that_it_has_announced() -> None:
    group = FleetGroup({".": folded(known_run(1, run="run-7"))})
    assert {sample.labels["run"] for sample in samples(group) if sample.labels} == {"run-7"}


def test_a_time_that_is_known_only_as_the_sum_of_two_devices_has_no_sample() -> None:
    fleet = folded(known_run(1, host="node1"), known_run(1, host="node2"))
    # The same UUID on two hosts.
    assert len(samples(fleet, "virnucpro_files_completed_total")) == 2
    assert samples(fleet, "virnucpro_busy_seconds") == []


def test_busy_seconds_are_no_counter_because_a_worker_that_dies_takes_its_attempt_back() -> None:
    script = known_run(1)
    script.say("worker-0", ev.FileStarted("GPU-00000000", "0-4.fa", 1))
    script.say("worker-0", ev.Heartbeat("GPU-00000000", "busy", 4, 0, 400, 0, 0), after_seconds=30)
    [before] = samples(folded(script), "virnucpro_busy_seconds")
    script.say("coordinator", ev.WorkerLost("GPU-00000000", "worker-0", 1, "killed", "0-4.fa", 1))
    [after] = samples(folded(script), "virnucpro_busy_seconds")
    assert after.value < before.value


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.parent.name)
def test_counters_never_go_back_during_a_session(capture: object) -> None:
    fleet = FleetState(ManualClock())
    frames = [record.frame for record in CaptureReader(capture)]  # type: ignore[arg-type]
    sessions: list[list[dict[tuple[str, ...], float]]] = [[]]
    for first in range(0, len(frames), 7):
        fleet.feed(frames[first : first + 7])
        counters = {
            (sample.name, *sample.labels.values()): sample.value
            for sample in samples(fleet)
            if sample.name.endswith("_total")
        }
        fresh = b"".join(frames[first : first + 7])
        if b"run.started/" in fresh or b"file.reopened/" in fresh:
            sessions.append([])
        sessions[-1].append(counters)
    for session in sessions:
        for before, after in pairwise(session):
            assert [series for series in before if after.get(series, before[series]) < before[series]] == []


def test_nothing_but_a_scrape_loads_the_library() -> None:
    program = """
import sys, monitor.cli.monitor, monitor.cli.prometheus, monitor.web.listener, monitor.prometheus.textfile
assert "prometheus_client" not in sys.modules
import monitor.prometheus.exposition
assert "prometheus_client" in sys.modules
"""
    subprocess.run([sys.executable, "-P", "-c", program], check=True)


def test_a_sum_over_devices_counts_a_gpu_once_that_workers_share() -> None:
    found = samples(folded(laid_out()), "virnucpro_gpu_power_watts")
    assert {(sample.labels["gpu"], sample.labels.get("UUID", "")): sample.value for sample in found} == {
        ("0#0", "GPU-a"): 100.0,
        ("1+2", ""): 200.0,
    }
    assert len(samples(folded(laid_out()), "virnucpro_files_completed_total")) == 3
