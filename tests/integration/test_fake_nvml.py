"""Whole runs on GPUs that the driver only tells of: its library is fake, all else is real."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support.fake_gpu_monitors import DIVIDED, T4, A, B, C, figures, row
from tests.support.fake_nvml import FakeNvmlLibrary, Gpu, Step
from tests.support.lab import Lab, wait_until
from tests.support.live_bus import Bus
from tests.support.run_files import Gates, recorded, small_files
from virnucpro_bus.events.run_events import RunStarted

EXIT_SECONDS = 20.0
"""Much longer than it takes, and much shorter than a driver that hangs for ever."""


def test_each_worker_is_shown_with_the_figures_of_the_gpu_it_works_on(nvml: FakeNvmlLibrary, lab: Lab) -> None:
    nvml.shows(C, A, B)
    gates = Gates(lab.folder / "gates")
    gates.close(*small_files(lab.folder / "in", 6))
    job = ("--job", "user_jobs:gated", "--job-option", gates.option)
    running = lab.start("run", "in", "--out", "out", "--devices", "auto", "--no-dashboard", *job)
    running.until(lambda: len(gates.waiting()) == 3, "three workers are at their gates")
    in_hand = gates.waiting()
    report: dict[str, Any] = {}

    def all_known() -> bool:
        report.update(json.loads(lab.run("monitor", "out", "--once", "--json").stdout))
        return all(device["temperature"] is not None for device in report["devices"])

    wait_until(all_known, "a sample of each GPU")
    shown = {device["uuid"]: device for device in report["devices"]}
    assert {uuid: figures(device) for uuid, device in shown.items()} == {
        C.uuid: (90.0, 75.0, 70.0, 300.0),
        A.uuid: (10.0, 10.0, 30.0, 60.0),
        B.uuid: (None, None, 50.0, None),
    }
    assert {uuid: device["device_id"] for uuid, device in shown.items()} == {C.uuid: 0, A.uuid: 1, B.uuid: 2}
    assert shown[B.uuid]["energy_joules"] is None
    assert shown[C.uuid]["energy_joules"] >= 7_000.5
    seen = {file: gates.visible_devices(file) for file in in_hand}
    assert seen == {device["current_file"]: uuid for uuid, device in shown.items()}
    gates.open()
    assert running.wait() == 0, running.stderr


@pytest.mark.parametrize(
    ("gpus", "devices", "environment", "chosen"),
    [
        ((C, A, B), "cuda:1,0", {}, [A, C]),
        ((C, A, B), "auto", {"CUDA_VISIBLE_DEVICES": "2,0"}, [B, C]),
        ((DIVIDED, C), "auto", {}, [*DIVIDED.mig, C]),
    ],
)
def test_a_run_works_on_the_gpus_that_are_meant(
    nvml: FakeNvmlLibrary,
    lab: Lab,
    gpus: tuple[Gpu, ...],
    devices: str,
    environment: dict[str, str],
    chosen: list[Gpu],
) -> None:
    nvml.shows(*gpus)
    small_files(lab.folder / "in", 2)
    ended = lab.run("run", "in", "--out", "out", "--devices", devices, "--no-dashboard", **environment)
    assert ended.wait() == 0, ended.stderr
    (started,) = recorded(lab.folder / "out", RunStarted)
    assert [device.key for device in started.event.devices] == [gpu.uuid for gpu in chosen]


def test_a_run_does_not_guess_which_of_unlike_gpus_an_index_means(nvml: FakeNvmlLibrary, lab: Lab) -> None:
    nvml.shows(T4, C)
    small_files(lab.folder / "in", 2)
    ended = lab.run("run", "in", "--out", "out", "--no-dashboard", CUDA_VISIBLE_DEVICES="0")
    assert ended.wait() == 2
    assert "GPU 0 is ambiguous" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_run_does_not_take_a_driver_that_hangs_for_a_machine_without_gpus(
    nvml: FakeNvmlLibrary, lab: Lab
) -> None:
    nvml.follows(Step((C,), hang=("count",)))
    small_files(lab.folder / "in", 2)
    ended = lab.run("run", "in", "--out", "out", "--no-dashboard")
    assert ended.wait() == 2
    assert "the GPUs cannot be read (GPU driver: no answer within 15 s, it hangs; " in ended.stderr


def test_a_run_whose_gpus_are_all_hidden_works_on_cpus_and_says_so(nvml: FakeNvmlLibrary, lab: Lab) -> None:
    nvml.shows(C, A)
    small_files(lab.folder / "in", 2)
    ended = lab.run("run", "in", "--out", "out", "--no-dashboard", CUDA_VISIBLE_DEVICES="-1")
    assert ended.wait() == 0, ended.stderr
    assert "no GPU is used" in ended.stderr
    (started,) = recorded(lab.folder / "out", RunStarted)
    assert all(device.key.startswith("cpu:") for device in started.event.devices)


@pytest.mark.parametrize(
    ("gpus", "visible", "why"),
    [
        ((C, A), "7", "GPU 7 was not found; this machine has: 0 (GPU-cc33-0001), 1 (GPU-aa11-0002)"),
        ((replace(C, lost=True), A), "1", "GPU 1 is ambiguous while a GPU is lost or cannot be read"),
    ],
)
def test_a_run_does_not_begin_on_fewer_or_other_gpus_than_a_number_may_mean(
    nvml: FakeNvmlLibrary, lab: Lab, gpus: tuple[Gpu, ...], visible: str, why: str
) -> None:
    nvml.shows(*gpus)
    small_files(lab.folder / "in", 2)
    ended = lab.run("run", "in", "--out", "out", "--no-dashboard", CUDA_VISIBLE_DEVICES=visible)
    assert ended.wait() == 2
    assert f"CUDA_VISIBLE_DEVICES: {why}" in ended.stderr
    assert not (lab.folder / "out").exists()


def test_a_run_is_not_held_up_by_a_driver_that_hangs_in_the_middle_of_it(nvml: FakeNvmlLibrary, lab: Lab) -> None:
    nvml.shows(C)
    gates = Gates(lab.folder / "gates")
    gates.close(*small_files(lab.folder / "in", 1))
    job = ("--job", "user_jobs:gated", "--job-option", gates.option)
    running = lab.start("run", "in", "--out", "out", "--devices", "auto", "--no-dashboard", *job)
    running.until(gates.waiting, "the worker is at its gate")
    nvml.follows(Step((C,), hang=("count", "handle")))
    gates.open()
    assert running.wait(EXIT_SECONDS) == 0, running.stderr


def test_a_worker_that_knows_its_gpu_by_a_number_only_is_given_nobodys_figures(
    nvml: FakeNvmlLibrary, watched: Bus
) -> None:
    monitor = watched.monitor()
    with watched.publisher("cuda:0") as worker:
        worker.file_completed("a.fa", sequences=3, duration_seconds=0.1)
        wait_until(lambda: row(monitor, C.uuid).get("compute_percent") == 90.0, "the figures of the GPUs")
        monitor.until_it_shows(completed=1)
    (own,) = (each for each in monitor.reports[-1]["devices"] if each["device_id"] == "cuda:0")
    assert (own["files_completed"], own["uuid"], *figures(own)) == (1, None, None, None, None, None)
    assert row(monitor, C.uuid)["files_completed"] == 0
