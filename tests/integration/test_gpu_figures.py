"""The figures of GPUs on their way from the driver to the screen, the report and the table of files."""

from __future__ import annotations

import json
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from tests.support.captures import write_capture
from tests.support.fake_drivers import make_nvidia_smi
from tests.support.fake_gpu_monitors import DIVIDED, A, C, figures
from tests.support.fake_nvml import GIB, FakeNvmlLibrary, Step
from tests.support.lab import Lab, Started, wait_until
from tests.support.live_bus import Bus
from tests.support.run_files import Gates, recorded, small_files
from virnucpro_bus.events.run_events import Notice
from virnucpro_bus.events.vocabulary import Device, GpuSampled
from virnucpro_bus.testing import Script


class HeldRun:
    """A run whose workers wait at their gates, each with a file in hand."""

    def __init__(self, lab: Lab, workers: int) -> None:
        self._lab, self._workers = lab, workers
        self.gates = Gates(lab.folder / "gates")
        self.gates.close(*small_files(lab.folder / "in", 2 * workers))
        job = ("--job", "user_jobs:gated", "--job-option", self.gates.option)
        self.command: Started = lab.start("run", "in", "--out", "out", "--no-dashboard", *job)
        self.command.until(lambda: len(self.gates.waiting()) == workers, "the workers are at their gates")

    def go_on(self) -> None:
        """Let the files in hand be finished, and wait until each worker has its next one."""
        in_hand = self.gates.waiting()
        self.gates.open(*in_hand)
        self.command.until(lambda: len(self.gates.waiting().keys() - in_hand) == self._workers, "the next files")

    def report(self) -> dict[str, Any]:
        """What a monitor says of it now."""
        found: dict[str, Any] = json.loads(self._lab.run("monitor", "out", "--once", "--json").stdout)
        return found

    def until_sampled(self, times: int) -> None:
        """Wait until each GPU has been looked at so often."""

        def enough() -> bool:
            looks = [envelope.event.device.key for envelope in recorded(self._lab.folder / "out", GpuSampled)]
            return bool(looks) and min(map(looks.count, set(looks))) >= times

        self.command.until(enough, "the GPUs have been looked at")

    def end(self) -> None:
        """Let it go on to its end."""
        self.gates.open()
        assert self.command.wait() == 0, self.command.stderr


def test_a_gpu_is_looked_at_twice_a_second_and_each_look_is_told(nvml: FakeNvmlLibrary, lab: Lab) -> None:
    nvml.shows(C)
    bus = Bus(lab)
    wait_until(lambda: len(recorded(bus.run_dir, GpuSampled)) > 8, "some looks")
    bus.stop()
    times = [envelope.mono_ns for envelope in recorded(bus.run_dir, GpuSampled)]
    # A machine that is busy looks later now and then, but not as a rule.
    assert 0.4e9 < median(after - before for before, after in pairwise(times)) < 0.9e9


@pytest.mark.parametrize(("interval", "shown"), [("1", (0.0, 0.0)), ("8", (50.0, 100.0))])
def test_the_load_that_a_monitor_shows_is_that_of_its_interval(
    lab: Lab, interval: str, shown: tuple[float, float]
) -> None:
    script = Script()
    for at in range(32):
        sample = GpuSampled(Device(C.uuid, "NVIDIA A100", 0), 100.0 if at < 24 else 0.0)
        script.say("sampler", sample, after_seconds=0.5)
    (lab.folder / "ended").mkdir()
    write_capture(lab.folder / "ended" / "run.vbus", script.frames(), step_seconds=0.5)
    ended = lab.run("monitor", "ended", "--once", "--json", "--interval", interval)
    (device,) = json.loads(ended.stdout)["devices"]
    assert (device["compute_percent"], device["compute_max_percent"]) == shown


def test_each_file_is_told_with_what_its_own_gpu_did_in_the_report_and_in_the_table(
    nvml: FakeNvmlLibrary, lab: Lab
) -> None:
    nvml.shows(C, A)
    run = HeldRun(lab, workers=2)
    run.until_sampled(1)
    run.go_on()
    run.until_sampled(6)
    run.end()
    exported = lab.run("export", "out", "--format", "jsonl").stdout
    table = [json.loads(line) for line in exported.splitlines()]
    for files in (run.report()["files"], table):
        # The last of each device, which began when its GPU was sampled already.
        last = {file["device"]: file for file in files}
        told = {key: (file["compute_percent"], file["memory_peak_bytes"]) for key, file in last.items()}
        assert told == {C.uuid: (90.0, 30 * GIB), A.uuid: (10.0, 4 * GIB)}
        assert {file["simulated"] for file in files} == {False}
        for key, watts in ((C.uuid, 300), (A.uuid, 60)):
            assert last[key]["energy_joules"] == pytest.approx(watts * last[key]["duration_seconds"], rel=0.25)


def test_the_mig_instances_of_a_divided_gpu_are_shown_with_their_memory(nvml: FakeNvmlLibrary, lab: Lab) -> None:
    nvml.shows(DIVIDED)
    run = HeldRun(lab, workers=2)
    run.until_sampled(1)
    shown = {device["uuid"]: figures(device) for device in run.report()["devices"]}
    run.end()
    assert shown == {instance.uuid: (None, 25.0, None, None) for instance in DIVIDED.mig}


def test_a_run_is_shown_by_nvidia_smi_where_nvml_does_not_start_and_says_so(
    nvml: FakeNvmlLibrary, lab: Lab
) -> None:
    nvml.follows(Step(init=18))
    make_nvidia_smi(lab.folder)
    (lab.folder / "output").write_text("0, GPU-cc33-0001, NVIDIA A100, [N/A], 10240, 40960, 55, 250.50, [N/A]\n")
    lab.environment["PATH"] = f"{lab.folder}:{lab.environment['PATH']}"
    run = HeldRun(lab, workers=1)
    run.until_sampled(1)
    (device,) = run.report()["devices"]
    run.end()
    assert (device["uuid"], device["energy_joules"], *figures(device)) == (C.uuid, None, None, 25.0, 55.0, 250.5)
    (notice,) = [envelope.event.text for envelope in recorded(lab.folder / "out", Notice)]
    assert notice.endswith("; using nvidia-smi until then")
