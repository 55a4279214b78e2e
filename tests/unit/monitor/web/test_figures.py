"""What the page shows of a moment: the figures and words of the terminal, n/a for unknown ones, no raw text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from monitor.model.collector import Collector, Failures, nothing_yet
from monitor.model.view_model import NOTICE, Trend, ViewModel, device_key
from monitor.web.figures import PageFigures, page_figures
from tests.support.fake_sources import Gpus, Work
from tests.support.harmful_texts import assert_harmless, harmful
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.health.problems import Problem
from virnucpro_bus.health.rows import DeviceWork
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuUtilization
from virnucpro_bus.run_reports import AnnouncedRun

UNKNOWN_WORK: DeviceWork = {
    "device_id": None,
    "device_name": "",
    "queue_depth": None,
    "files_completed": None,
    "work_stolen_from": None,
    "work_stolen_to": None,
    "throughput": None,
    "last_update_time": None,
    "uuid": None,
    "host": "",
    "sequences": None,
    "files_failed": None,
    "state": None,
    "current_file": None,
    "seconds_since_done": None,
    "current_file_percent": None,
    "loading_seconds": None,
    "key": None,
    "gpus": None,
    "cpu_percent": None,
    "resident_bytes": None,
    "worker": None,
    "read_bytes_per_second": None,
}
RUN: AnnouncedRun = {
    "id": "run-1",
    "draining_reason": None,
    "run": "run-1",
    "host": "node1",
    "job": "sixframe",
    "policy": "cost",
    "state": "running",
    "exit_code": None,
    "started": None,
    "elapsed_seconds": None,
    "shard": None,
}


def of(*rows: tuple[DeviceWork, GpuUtilization], **changes: Any) -> PageFigures:
    model = replace(nothing_yet(1_700_000_000_000_000_000, "run1"), rows=rows, **changes)
    return page_figures(model, model.rows, [])


def collected() -> ViewModel:
    clock = ManualClock()
    return Collector(Work(), Gpus(), clock, Failures()).collect("run1", 60.0)


def test_a_device_has_the_figures_of_its_row() -> None:
    model = collected()
    gpu, cpu = page_figures(model, model.rows, [])["devices"]
    assert (gpu["device"], gpu["state"], gpu["level"]) == ("GPU 0", "busy", "good")
    assert gpu["compute"] == {"percent": 87.0, "text": "87%", "level": ""}
    assert (gpu["temperature"], gpu["power"], gpu["throughput"], gpu["queue"]) == ("70°C", "300 W", "12.3", "3")
    assert (gpu["completed"], gpu["failed"], gpu["stolen"], gpu["file"]) == ("4", "0", "+1 −0", "sample_1.fa")
    assert gpu["file_done"] == "63%"
    assert cpu["compute"] == {"percent": None, "text": "n/a", "level": ""}
    assert cpu["key"] != gpu["key"]


def test_what_is_unknown_is_not_available_and_has_no_bar() -> None:
    figures = of((UNKNOWN_WORK, UNKNOWN_UTILIZATION))
    (device,) = figures["devices"]
    for name in ("device", "state", "temperature", "power", "throughput", "queue", "completed", "failed"):
        assert device[name] == "n/a"
    assert device["stolen"] == "+n/a −n/a"
    assert device["file_done"] == ""
    assert (device["memory"]["percent"], device["memory"]["text"], device["trend"]) == (None, "n/a", [])
    assert dict(figures["facts"])["time left"] == "n/a"
    assert figures["effect"] == ""


def test_stale_figures_are_marked() -> None:
    (device,) = of((UNKNOWN_WORK, {**UNKNOWN_UTILIZATION, "sample_age_seconds": 9.0}))["devices"]
    assert device["compute"] == {"percent": None, "text": "STALE", "level": "warn"}


def test_the_columns_are_named_in_which_nothing_is_known_of_any_device() -> None:
    works: DeviceWork = {**UNKNOWN_WORK, "cpu_percent": 98.7, "resident_bytes": 3 << 30}
    figures = of((works, UNKNOWN_UTILIZATION), (UNKNOWN_WORK, UNKNOWN_UTILIZATION))
    assert figures["unknown"] == ["compute", "memory", "power", "reads", "temperature", "trend"]
    assert [(each["cpu"], each["resident"]) for each in figures["devices"]] == [("99%", "3.0 GiB"), ("n/a", "n/a")]
    assert of((works, {**UNKNOWN_UTILIZATION, "compute_percent": 7.0}))["unknown"] == [
        *("memory", "power", "reads", "temperature"),
    ]


@pytest.mark.parametrize(
    ("state", "word", "level"),
    [("lost", "LOST", "bad"), ("silent", "SILENT", "warn"), ("idle", "idle", ""), ("busy", "busy", "good")],
)
def test_a_state_that_is_a_problem_stands_out_by_more_than_its_colour(state: str, word: str, level: str) -> None:
    (device,) = of(({**UNKNOWN_WORK, "state": state}, UNKNOWN_UTILIZATION))["devices"]
    assert (device["state"], device["level"]) == (word, level)


def test_a_device_that_loads_says_for_how_long() -> None:
    loads: DeviceWork = {**UNKNOWN_WORK, "state": "loading", "loading_seconds": 42.9}
    assert [each["state"] for each in of((loads, UNKNOWN_UTILIZATION))["devices"]] == ["loading 0:42"]


def test_a_trend_has_gaps_where_figures_are_unknown() -> None:
    work: DeviceWork = {**UNKNOWN_WORK, "device_id": 0}
    trends = {device_key(work): Trend((1.4, None, 99.6), ())}
    assert of((work, UNKNOWN_UTILIZATION), trends=trends)["devices"][0]["trend"] == [1, None, 100]


def test_problems_and_notices_are_kept_apart() -> None:
    health = (Problem("lost: a", is_bad=True), Problem("stale: b"), Problem("12:00:00 resumed", kind=NOTICE))
    figures = of(health=health)
    assert figures["problems"] == [
        {"text": "lost: a", "level": "bad"},
        {"text": "stale: b", "level": "warn"},
    ]
    assert figures["notices"] == ["12:00:00 resumed"]


def test_the_models_of_devices_are_named_where_they_differ() -> None:
    def names(*models: str) -> list[str]:
        rows = [({**UNKNOWN_WORK, "device_name": model}, UNKNOWN_UTILIZATION) for model in models]
        return [device["name"] for device in of(*rows)["devices"]]  # type: ignore[arg-type]

    assert names("NVIDIA A100", "NVIDIA A100") == ["", ""]
    assert names("NVIDIA A100", "NVIDIA H100") == ["A100", "H100"]


def test_one_run_is_described_and_of_several_each_has_its_state() -> None:
    model = nothing_yet(0, "")
    one, two = RUN, {**RUN, "host": "node2", "state": "finished"}
    assert ("job", "sixframe") in page_figures(model, (), [one])["facts"]
    facts = page_figures(model, (), [one, two])["facts"]  # type: ignore[list-item]
    assert ("run-1 on node2", "finished, sixframe") in facts


def test_the_shard_of_a_run_is_among_its_facts() -> None:
    model = nothing_yet(0, "")
    run: AnnouncedRun = {**RUN, "shard": {"number": 0, "count": 4, "files": 60, "inputs": "i"}}
    assert ("shard", "0/4 of 60 files") in page_figures(model, (), [run])["facts"]
    facts = page_figures(model, (), [RUN, run])["facts"]
    assert ("run-1 on node1", "running, sixframe, shard 0/4 of 60 files") in facts


def test_the_steals_are_the_latest_first_with_what_each_has_saved() -> None:
    model = collected()
    (steal,) = page_figures(model, (), [])["steals"]
    assert (steal["thief"], steal["victim"], steal["file"]) == ("cpu:0", "GPU 0", "\\x1b[2Jsample_2.fa")
    assert (steal["time"], steal["saved"]) == (1.7e9, "")


def texts_of(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts_of(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts_of(each)


def test_no_text_of_an_event_arrives_as_it_is() -> None:
    text = "|".join(harmful(1_000))
    work: DeviceWork = {
        **UNKNOWN_WORK,
        "device_id": text,
        "device_name": text,
        "host": text,
        "run": text,
        "state": text,
        "current_file": text,
    }
    other: DeviceWork = {**UNKNOWN_WORK, "host": "other", "device_name": "other"}
    model = replace(
        nothing_yet(0, text),
        rows=((work, UNKNOWN_UTILIZATION), (other, UNKNOWN_UTILIZATION)),
        steals=({"timestamp": None, "source_gpu": text, "dest_gpu": text, "file_name": text, "host": text},),
        health=(Problem(text), Problem(text, kind=NOTICE)),
    )
    run: AnnouncedRun = {**RUN, "run": text, "host": text, "job": text, "policy": text, "state": text}
    for runs in ([run], [run, run]):
        figures = page_figures(model, model.rows, runs)
        for device in figures["devices"]:
            device["key"] = ""  # compared, and never shown
        assert_harmless("\n".join(texts_of(figures)))
