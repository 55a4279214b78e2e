"""Whole runs and buses on GPUs that the driver only tells of: its library is fake, all else is real."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_nvml import GIB, FakeNvmlLibrary, Gpu, Step
from lab import Lab, Started, wait_until
from live import Bus, Monitor
from samples import Gates, recorded, small_files

from virnucpro_bus.events import RunStarted

# Not in the order of their UUIDs, so that nothing is right by chance.
C = Gpu("GPU-cc33-0001", "NVIDIA A100", compute=90, used=30 * GIB, temperature=70, milliwatts=300_000)
A = Gpu("GPU-aa11-0002", "NVIDIA A100", compute=10, used=4 * GIB, temperature=30, milliwatts=60_000)
B = Gpu("GPU-bb22-0003", "NVIDIA A100", compute=None, used=None, temperature=50, milliwatts=None, millijoules=None)
T4 = Gpu("GPU-dd44-0004", "NVIDIA T4", compute=5)
DIVIDED = Gpu("GPU-ee55", compute=None, mig=(Gpu("MIG-1", compute=None), Gpu("MIG-2", compute=None)))
EXIT_SECONDS = 20.0
"""Much longer than it takes, and much shorter than a driver that hangs for ever."""


@pytest.fixture
def nvml(lab: Lab) -> FakeNvmlLibrary:
    """The library that all processes of the lab use."""
    library = FakeNvmlLibrary(lab.folder)
    lab.environment |= library.environment
    lab.environment.pop("CUDA_DEVICE_ORDER", None)
    return library


@pytest.fixture
def watched(nvml: FakeNvmlLibrary, lab: Lab) -> Iterator[Bus]:
    """A hub and its sampler, which find three GPUs."""
    nvml.shows(C, A, B)
    running = Bus(lab)
    yield running
    running.stop()


def row(monitor: Monitor, uuid: str) -> dict[str, Any]:
    """What the monitor has said last of one GPU; empty before it knows it."""
    reports = monitor.reports
    devices = reports[-1]["devices"] if reports else []
    return next((device for device in devices if device["uuid"] == uuid), {})


def figures(device: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(device[name] for name in ("compute_percent", "memory_percent", "temperature", "power_watts"))


# --- runs


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
    seen = {file: _variable(pid, "CUDA_VISIBLE_DEVICES") for file, pid in in_hand.items()}
    assert seen == {device["current_file"]: uuid for uuid, device in shown.items()}
    gates.open()
    assert running.wait() == 0, running.stderr


def _variable(pid: int, name: str) -> str:
    """The value of a variable in the environment that a process was started with."""
    entries = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(entry.partition("=")[::2] for entry in entries)[name]


@pytest.mark.parametrize(
    ("gpus", "devices", "environment", "chosen"),
    [
        ((C, A, B), "cuda:1,0", {}, [A, C]),
        ((C, A, B), "GPU-bb,GPU-cc", {}, [B, C]),
        ((C, A, B), "auto", {"CUDA_VISIBLE_DEVICES": "2,0"}, [B, C]),
        ((C, A, B), "auto", {"CUDA_VISIBLE_DEVICES": "GPU-aa"}, [A]),
        ((T4, C), "auto", {"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, [T4]),
        ((DIVIDED, C), "auto", {}, [*DIVIDED.mig, C]),
        ((DIVIDED, C), "auto", {"CUDA_VISIBLE_DEVICES": "MIG-2"}, [DIVIDED.mig[1]]),
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
    assert "which GPU 0 is cannot be told" in ended.stderr
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


# --- what becomes of a GPU


def test_a_lost_gpu_is_a_row_that_says_so_until_it_comes_back(nvml: FakeNvmlLibrary, watched: Bus) -> None:
    monitor = watched.monitor()
    wait_until(lambda: row(monitor, A.uuid).get("compute_percent") == 10.0, "the figures of a good GPU")
    nvml.shows(C, Gpu(A.uuid, A.name, lost=True), B)
    wait_until(lambda: row(monitor, A.uuid)["state"] == "lost", "the GPU is lost")
    assert figures(row(monitor, A.uuid)) == (None, None, None, None)
    assert figures(row(monitor, C.uuid)) == (90.0, 75.0, 70.0, 300.0)
    nvml.shows(C, A, B)
    wait_until(lambda: row(monitor, A.uuid)["compute_percent"] == 10.0, "it is there again")
    assert row(monitor, A.uuid)["state"] != "lost"
    assert [device["uuid"] for device in monitor.reports[-1]["devices"]] == [C.uuid, A.uuid, B.uuid]


def test_figures_of_a_hung_driver_are_stale_the_monitor_goes_on_and_nothing_is_held_up(
    nvml: FakeNvmlLibrary, lab: Lab, watched: Bus
) -> None:
    monitor = watched.monitor()
    wait_until(lambda: row(monitor, C.uuid).get("compute_percent") == 90.0, "the figures of a good GPU")
    nvml.follows(Step((C, A, B), hang=("count", "handle", "compute")))
    wait_until(lambda: row(monitor, C.uuid)["compute_percent"] is None, "the figures are stale")
    assert figures(row(monitor, C.uuid)) == (None, None, None, None)
    assert row(monitor, C.uuid)["state"] != "lost"
    assert row(monitor, C.uuid)["sample_age_seconds"] > 3
    assert "stale: no GPU figures from" in lab.run("monitor", "bus", "--once").stdout
    before = len(monitor.reports)
    wait_until(lambda: len(monitor.reports) > before + 5, "the monitor goes on")
    nvml.shows(C, A, B)
    wait_until(lambda: row(monitor, C.uuid)["compute_percent"] == 90.0, "the driver answers again")
    nvml.follows(Step((C, A, B), hang=("count", "handle", "compute")))
    watched.hub.signal(signal.SIGINT)
    assert watched.hub.wait(EXIT_SECONDS) == 0


def test_a_driver_that_goes_is_told_of_and_believed_again_when_it_comes_back(
    nvml: FakeNvmlLibrary, lab: Lab, watched: Bus
) -> None:
    monitor = watched.monitor()
    wait_until(lambda: row(monitor, C.uuid).get("compute_percent") == 90.0, "the figures of a good GPU")
    nvml.follows(Step((C, A, B), init=9, down=1))
    wait_until(lambda: row(monitor, C.uuid)["compute_percent"] is None, "nothing is known any more")
    assert "the driver tells nothing of GPU 0" in lab.run("monitor", "bus", "--once").stdout
    assert row(monitor, C.uuid)["state"] != "lost"
    nvml.shows(C, A, B)
    wait_until(lambda: row(monitor, C.uuid)["compute_percent"] == 90.0, "NVML is there again")


def test_a_sampler_whose_driver_hangs_from_the_start_ends_when_told_to(
    nvml: FakeNvmlLibrary, watched: Bus
) -> None:
    nvml.follows(Step(hang=("init",)))
    sampler = watched.lab.start("sample", "bus")
    wait_until(lambda: _catches_sigterm(sampler.pid), "the sampler is at work")
    sampler.signal(signal.SIGTERM)
    assert sampler.wait(EXIT_SECONDS) == 0, sampler.stderr


def _catches_sigterm(pid: int) -> bool:
    """Whether the process has a handler of its own for SIGTERM."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (caught,) = (int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:"))
    return bool(caught >> (signal.SIGTERM - 1) & 1)


DASHBOARD = """
import os, time
from monitor import GPUMonitor, LoadBalancingDashboard
from virnucpro_bus.events import Device
from workers import WorkStealingCoordinator

coordinator = WorkStealingCoordinator([Device("GPU-cc33-0001", "NVIDIA A100", 0)], [])
dashboard = LoadBalancingDashboard(coordinator, GPUMonitor(), update_interval=0.2, log_file=None)
dashboard.start()
while os.path.exists("go-on"):
    time.sleep(0.05)
dashboard.stop()
print("stopped", flush=True)
"""


def test_a_dashboard_in_the_process_of_the_driver_goes_on_and_stops_while_it_hangs(
    nvml: FakeNvmlLibrary, lab: Lab
) -> None:
    nvml.shows(C, A, B)
    (lab.folder / "dashboard.py").write_text(DASHBOARD)
    (lab.folder / "go-on").touch()
    shown = lab.start(program=lab.folder / "dashboard.py")
    shown.until(lambda: "90%" in shown.stdout, "the figures of a good GPU")
    nvml.follows(Step((C, A, B), hang=("count", "handle", "compute")))
    shown.until(lambda: _last_line(shown).count("90%") == 0, "it goes on, without figures")
    (lab.folder / "go-on").unlink()
    assert shown.wait(EXIT_SECONDS) == 0, shown.stderr
    assert shown.stdout.rstrip().endswith("stopped")


def _last_line(shown: Started) -> str:
    """The last whole line that was printed."""
    return shown.stdout.rpartition("\n")[0].rpartition("\n")[2]
