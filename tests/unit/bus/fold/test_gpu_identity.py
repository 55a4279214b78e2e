"""One GPU under two names is one row, whatever the order in which the names came."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tests.support.captures import write_capture
from tests.support.exported import exported_rows
from virnucpro_bus import events as ev
from virnucpro_bus.devices import only_one_with_prefix
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script

FULL = Device("GPU-8932f9-aa", "A100", 0)
OTHER = Device("GPU-77-bb", "A100", 1)
PLACE = Device("nvml:1", "", 1)


def folded(said: list[Envelope], script: Script) -> FleetState:
    fleet = FleetState(script.clock)
    for envelope in said:
        fleet.apply(envelope)
    return fleet


def rows(script: Script, said: list[Envelope] | None = None) -> list[dict[str, Any]]:
    return [dict(device) for device in folded(said or script.envelopes, script).report()["devices"]]


# A GPU that could not tell its UUID at first.


def test_a_gpu_that_tells_its_uuid_later_is_no_longer_a_row_by_its_place_whatever_comes_first() -> None:
    script = Script()
    script.say("sampler", ev.GpuSampled(FULL, 5.0))
    script.say("sampler", ev.GpuSampled(PLACE, lost=True))
    assert [row["device_id"] for row in rows(script)] == [0, 1]
    script.say("sampler", ev.GpuSampled(OTHER, 7.0), after_seconds=0.5)
    for said in permutations(script.envelopes):
        found = rows(script, list(said))
        assert [(row["uuid"], row["state"]) for row in found] == [(FULL.key, "unused"), (OTHER.key, "unused")]
        assert folded(list(said), script).get_gpu_utilization(1)["compute_percent"] == 7.0


def test_a_gpu_that_cannot_tell_its_uuid_any_more_to_a_new_sampler_is_a_row_again() -> None:
    script = Script()
    script.say("sampler", ev.GpuSampled(OTHER, 7.0))
    script.say("sampler", ev.GpuSampled(PLACE, lost=True), epoch=2, after_seconds=5)
    assert [row["uuid"] for row in rows(script)] == [OTHER.key, None]
    assert folded(script.envelopes, script).get_gpu_utilization(1)["lost"]


# A worker that knows the beginning of its GPU's UUID.


def worked(key: str) -> Script:
    """A worker of that name does a file of two seconds, while both GPUs are looked at; the first at 40 %."""
    script = Script()
    script.say("w0", ev.WorkerStarted(Device(key), 100))
    for _ in range(6):
        script.say("sampler", ev.GpuSampled(FULL, 40.0, memory_used_bytes=3), after_seconds=0.5)
        script.say("sampler", ev.GpuSampled(OTHER, 90.0))
    script.say("w0", ev.FileCompleted(key, "a.fa", 0, 7, 2.0))
    return script


@pytest.mark.parametrize("key", ["GPU-8932f9-aa", "GPU-8932", "GPU-8"])
def test_a_worker_that_knows_how_its_gpus_uuid_begins_is_one_row_with_its_samples(key: str) -> None:
    first, second = rows(worked(key))
    named = (first["device_id"], first["device_name"], first["uuid"])
    assert (*named, first["files_completed"], first["compute_percent"]) == (0, "A100", FULL.key, 1, 40.0)
    assert (second["uuid"], second["files_completed"]) == (OTHER.key, 0)


@pytest.mark.parametrize("key", ["GPU-", "GPU-9", "MIG-8", "cuda:0"])
def test_a_name_that_fits_no_gpu_or_several_is_a_row_without_figures(key: str) -> None:
    *_, own = rows(worked(key))
    assert (own["device_id"], own["files_completed"], own["compute_percent"]) == (key, 1, None)


def test_its_files_are_told_with_the_figures_of_that_gpu() -> None:
    script = worked("GPU-89")
    (file,) = folded(script.envelopes, script).files()
    assert (file["device"], file["device_id"], file["compute_percent"]) == ("GPU-89", 0, 40.0)
    assert file["simulated"] is False


def test_its_files_are_exported_with_the_figures_of_that_gpu(tmp_path: Path) -> None:
    write_capture(tmp_path / "run.vbus", worked("GPU-89").frames())
    (file,) = exported_rows(tmp_path / "run.vbus")
    assert (file["device"], file["compute_percent"], file["memory_peak_bytes"]) == ("GPU-89", 40.0, 3)


def test_when_that_gpu_is_lost_its_worker_is() -> None:
    script = worked("GPU-89")
    script.say("sampler", ev.GpuSampled(FULL, lost=True))
    assert [(row["state"], row["lost"]) for row in rows(script)] == [("lost", True), ("unused", False)]


def test_workers_of_both_names_are_two_rows_so_that_nobodys_work_is_hidden() -> None:
    script = worked("GPU-89")
    script.say("w1", ev.WorkerStarted(FULL, 101))
    script.say("w1", ev.FileCompleted(FULL.key, "b.fa", 0, 7, 2.0))
    assert [(row["device_id"], row["files_completed"]) for row in rows(script)] == [(0, 1), (1, 0), ("GPU-89", 1)]


def test_two_beginnings_of_one_uuid_are_two_rows() -> None:
    script = worked("GPU-89")
    script.say("w1", ev.WorkerStarted(Device("GPU-893"), 101))
    assert [row["device_id"] for row in rows(script)] == [0, 1, "GPU-89", "GPU-893"]


@pytest.mark.parametrize(
    ("beginning", "found"),
    [("GPU-a", "GPU-ab"), ("GPU-ab", "GPU-ab"), ("GPU-b", None), ("GPU-c", None), ("GPU-", None), ("G", None)],
)
def test_the_only_uuid_that_begins_so_is_found_among_sorted_ones(beginning: str, found: str | None) -> None:
    assert only_one_with_prefix(beginning, ["GPU-ab", "GPU-ba", "GPU-bb"]) == found
