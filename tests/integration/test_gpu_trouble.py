"""What becomes of GPUs that are lost, of a driver that hangs, and of one that goes or was not there at first."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.fake_gpu_monitors import A, B, C, figures, row
from tests.support.fake_nvml import FakeNvmlLibrary, Gpu, Step
from tests.support.lab import Lab, Started, wait_until
from tests.support.live_bus import Bus, Monitor
from tests.support.run_files import recorded
from virnucpro_bus.events.run_events import Notice

EXIT_SECONDS = 20.0
"""Much longer than it takes, and much shorter than a driver that hangs for ever."""


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
    assert "stale: no GPU sample from" in lab.run("monitor", "bus", "--once").stdout
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
    assert "the driver reports no figures for GPU 0" in lab.run("monitor", "bus", "--once").stdout
    assert row(monitor, C.uuid)["state"] != "lost"
    nvml.shows(C, A, B)
    wait_until(lambda: row(monitor, C.uuid)["compute_percent"] == 90.0, "NVML is there again")


def test_a_driver_that_was_not_there_at_first_is_told_of_and_used_when_it_is(
    nvml: FakeNvmlLibrary, lab: Lab
) -> None:
    nvml.follows(Step(init=9))
    bus = Bus(lab)
    monitor = bus.monitor()
    wait_until(lambda: notices(bus), "the driver is told of")
    assert "GPU figures: NVML: Driver Not Loaded (code 9); load the driver" in notices(bus)[0]
    nvml.shows(C)
    wait_until(lambda: row(monitor, C.uuid).get("compute_percent") == 90.0, "NVML is there")
    bus.stop()
    assert len(notices(bus)) == len(set(notices(bus)))


def test_a_gpu_that_was_lost_from_the_start_is_one_row_when_it_can_be_read(
    nvml: FakeNvmlLibrary, lab: Lab
) -> None:
    nvml.shows(C, Gpu(A.uuid, A.name, errors={"*": 15}))
    bus = Bus(lab)
    monitor = bus.monitor()
    wait_until(lambda: [shown["state"] for shown in devices(monitor)] == ["unused", "lost"], "one is lost")
    nvml.shows(C, A)
    wait_until(lambda: row(monitor, A.uuid).get("compute_percent") == 10.0, "it can be read")
    bus.stop()
    assert [shown["uuid"] for shown in devices(monitor)] == [C.uuid, A.uuid]


def notices(bus: Bus) -> list[str]:
    """What the sampler has said so far."""
    return [envelope.event.text for envelope in recorded(bus.run_dir, Notice) if envelope.source == "sampler"]


def devices(monitor: Monitor) -> list[dict[str, Any]]:
    """What the monitor has said last; empty before it has said anything."""
    reports = monitor.reports
    return reports[-1]["devices"] if reports else []


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
dashboard = LoadBalancingDashboard(
    coordinator, GPUMonitor(), update_interval=0.2, log_file=None, line_interval=0.2
)
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


def test_a_dashboard_in_the_process_of_the_driver_shows_that_a_gpu_is_lost(
    nvml: FakeNvmlLibrary, lab: Lab
) -> None:
    nvml.shows(C)
    (lab.folder / "dashboard.py").write_text(DASHBOARD)
    (lab.folder / "go-on").touch()
    shown = lab.start(program=lab.folder / "dashboard.py")
    shown.until(lambda: "GPU 0 90%" in shown.stdout, "the figures of a good GPU")
    nvml.shows(replace(C, lost=True))
    shown.until(lambda: "GPU 0 LOST" in shown.stdout, "it is lost")
    (lab.folder / "go-on").unlink()
    assert shown.wait(EXIT_SECONDS) == 0, shown.stderr


def _last_line(shown: Started) -> str:
    """The last whole line that was printed."""
    return shown.stdout.rpartition("\n")[0].rpartition("\n")[2]
