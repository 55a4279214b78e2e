"""The summary of a run: the fold of its capture, if there is time for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.captures import some_frames, write_capture
from tests.support.exported import exported_rows
from tests.support.plans import run_plan
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device, FileCompleted, GpuSampled
from virnucpro_bus.sources.playback import fold_capture
from virnucpro_bus.sources.recording import read_recording
from virnucpro_bus.testing import Script
from virnucpro_bus.timeline.ended_run import EndedRun
from workers.launch.summary import sum_up

FRAMES = 5_000


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    write_capture(tmp_path / "run.vbus", some_frames(FRAMES), step_seconds=0.001)
    return tmp_path


def ended_run(run_dir: Path, stopped: Callable[[], bool] = lambda: False) -> EndedRun | None:
    return read_recording(run_dir / "run.vbus", ManualClock(), stopped, with_info=True).ended_run()


def test_it_is_the_fold_of_the_whole_capture(run_dir: Path) -> None:
    problems: list[str] = []
    summary = sum_up(run_plan(run_dir), ended_run(run_dir), problems.append, exit_code=3, files_done_before=0)
    assert problems == []
    expected = fold_capture(run_dir / "run.vbus", ManualClock()).report()
    assert {key: summary[key] for key in expected} == expected
    assert (summary["exit_code"], summary["job"]) == (3, "sixframe")
    assert json.loads((run_dir / "summary.json").read_text()) == summary


def summary_of(run_dir: Path) -> dict[str, Any]:
    return sum_up(run_plan(run_dir), ended_run(run_dir), lambda problem: None, exit_code=0, files_done_before=0)


def test_its_files_have_the_figures_of_the_export_however_long_ago_they_ended(tmp_path: Path) -> None:
    script = Script()
    for at in range(200):
        sample = GpuSampled(Device("GPU-a"), 10.0 * (at % 5), memory_used_bytes=at, energy_millijoules=at**2)
        script.say("sampler", sample, after_seconds=0.5)
        if at % 4 == 0:
            script.say("worker-0", FileCompleted("GPU-a", f"{at}.fa", 1, 7, 0.8))
    capture = tmp_path / "run.vbus"
    write_capture(capture, script.frames())
    summary = summary_of(tmp_path)
    exported = exported_rows(capture)
    names = ("file", "compute_percent", "memory_peak_bytes", "energy_joules", "simulated")
    assert [[each[name] for name in names] for each in summary["files"]] == [
        [row[name] for name in names]  # type: ignore[literal-required]
        for row in exported
    ]
    assert None not in [each["energy_joules"] for each in summary["files"]]
    # A fold keeps old samples in buckets that are too wide for so short files.
    oldest = fold_capture(capture, ManualClock()).files()[0]
    assert (oldest["compute_percent"], oldest["memory_peak_bytes"], oldest["energy_joules"]) == (None, None, None)


def test_a_file_that_was_done_twice_has_the_figures_of_each_time(tmp_path: Path) -> None:
    script = Script()
    for at in range(20):
        script.say("sampler", GpuSampled(Device("GPU-a"), float(at)), after_seconds=0.5)
        if at in (8, 16):
            script.say("worker-0", FileCompleted("GPU-a", "a.fa", 1, 7, at / 8))
    write_capture(tmp_path / "run.vbus", script.frames())
    summary = summary_of(tmp_path)
    assert [each["compute_percent"] for each in summary["files"]] == [7.0, 14.0]


def test_one_that_is_stopped_before_the_end_of_the_capture_leaves_none_of_an_earlier_session(
    run_dir: Path,
) -> None:
    (run_dir / "summary.json").touch()
    problems: list[str] = []
    summary = sum_up(
        run_plan(run_dir), ended_run(run_dir, lambda: True), problems.append, exit_code=130, files_done_before=0
    )
    assert summary == {}
    assert [problem.startswith("summary.json is not written") for problem in problems] == [True]
    assert not (run_dir / "summary.json").exists()
