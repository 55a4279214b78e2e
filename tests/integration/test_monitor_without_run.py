"""`monitor` without a run: this machine's GPUs, then the run that begins."""

from __future__ import annotations

from tests.support.fake_gpu_monitors import A, C
from tests.support.fake_nvml import FakeNvmlLibrary
from tests.support.lab import Lab
from tests.support.run_files import Gates, small_files
from tests.support.terminal import Terminal


def test_the_gpus_are_shown_until_a_run_begins_and_then_that_run_to_its_end(
    nvml: FakeNvmlLibrary, lab: Lab
) -> None:
    lab.environment["XDG_STATE_HOME"] = str(lab.folder / "state")
    nvml.shows(C, A)
    terminal = Terminal(lab, "monitor", "--interval", "0.1")
    terminal.until(lambda: "30.0/40.0 GiB" in terminal.picture(), "the memory of a GPU")
    shown = terminal.picture()
    assert "no work in progress" in shown
    terminal.until(lambda: "no run of yours is live" in terminal.picture(), "the hint")
    assert "GPU 0       90%" in shown
    assert terminal.full_screen
    gates = Gates(lab.folder / "gates")
    gates.close(*small_files(lab.folder / "in", 2))
    job = ("--job", "user_jobs:gated", "--job-option", gates.option)
    running = lab.start("run", "in", "--out", "out", "--devices", "cpu:2", "--no-dashboard", *job)
    terminal.until(lambda: "0/2 files" in terminal.picture(), "the run")
    assert str(lab.folder / "out")[:20] in terminal.picture()
    terminal.until(lambda: "no run of yours" not in terminal.picture(), "the hint is gone")
    gates.open()
    assert running.wait() == 0, running.stderr
    assert terminal.wait() == 0
    assert "2/2 files" in terminal.picture()
