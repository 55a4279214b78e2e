"""Devices that share a GPU, or use several, have the figures of their GPUs, and no GPU has a row besides."""

from __future__ import annotations

import pytest

from tests.support.layouts import JOINED, SHARED, A, B, C, complete_files, laid_out, sample
from tests.support.two_devices import folded
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.device_keys import share
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.testing import Script


@pytest.fixture
def run() -> Script:
    """Two workers on the first GPU, one on the two others."""
    return laid_out()


def fed(script: Script) -> FleetState:
    fleet = FleetState(ManualClock())
    fleet.feed(script.frames())
    return fleet


def test_each_row_has_the_figures_of_its_gpus_and_no_gpu_has_one_of_its_own(run: Script) -> None:
    rows = fed(run).report()["devices"]
    assert [(row["device_id"], row["key"], row["gpus"], row["uuid"]) for row in rows] == [
        ("0#0", "GPU-a#0", ["GPU-a"], "GPU-a"),
        ("0#1", "GPU-a#1", ["GPU-a"], "GPU-a"),
        ("1+2", "GPU-b+GPU-c", ["GPU-b", "GPU-c"], None),
    ]
    names = ("compute_percent", "memory_used_bytes", "memory_total_bytes", "power_watts", "energy_joules")
    figures = [[row[name] for name in names] for row in rows]  # type: ignore[literal-required]
    assert figures == [[90.0, 1, 2, 100.0, 5.0], [90.0, 1, 2, 100.0, 5.0], [30.0, 2, 4, 200.0, 10.0]]


def test_the_figures_of_a_device_are_found_by_its_key_as_by_its_gpu(run: Script) -> None:
    for fleet in (fed(run), FleetGroup({"one": fed(run), "other": fed(run)})):
        assert fleet.get_gpu_utilization("GPU-a#1") == fleet.get_gpu_utilization("GPU-a")
        assert fleet.get_gpu_utilization(JOINED.key)["power_watts"] == 200.0
        assert fleet.get_gpu_utilization("GPU-b+GPU-x")["power_watts"] is None


def test_without_a_run_the_gpus_of_workers_have_no_rows_and_all_others_have() -> None:
    script = Script()
    script.say("own", ev.WorkerStarted(SHARED[1], 7))
    sample(script, 0)
    states = {row["key"]: row["state"] for row in folded(script).metrics(script.clock.mono_ns())}
    assert states == {"GPU-a#1": "idle", "GPU-b": "unused", "GPU-c": "unused"}


def test_a_device_is_lost_with_any_of_its_gpus(run: Script) -> None:
    sample(run, 6_000, 1, lost=(C,))
    rows = fed(run).report()["devices"]
    assert [(row["state"], row["lost"]) for row in rows] == [("idle", False), ("idle", False), ("lost", True)]


def test_a_file_has_the_figures_of_all_gpus_of_its_device(run: Script) -> None:
    files = folded(complete_files(run)).files()
    assert [(file["device_id"], file["compute_percent"], file["memory_peak_bytes"]) for file in files] == [
        ("0#0", 90.0, 1),
        ("0#1", 90.0, 1),
        ("1+2", 30.0, 2),
    ]
    assert [file["energy_joules"] for file in files] == [4.0, 4.0, 8.0]
    assert {file["simulated"] for file in files} == {False}


def test_the_workers_of_a_gpu_are_side_by_side_in_the_order_of_their_numbers() -> None:
    script, devices = Script(), (*share(B, 12), *share(A, 12))
    script.say("coordinator", ev.RunStarted("job", "cost", devices, 4))
    expected = [f"{index}#{number}" for index in (0, 1) for number in range(12)]
    assert [row["device_id"] for row in fed(script).get_gpu_metrics()] == expected
    group = FleetGroup({"run": fed(script), "another": FleetState(ManualClock())})
    assert [row["device_id"] for row in group.get_gpu_metrics()] == expected
