"""The summary of a run: the fold of its capture, if there is time for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.captures import some_frames, write_capture
from tests.support.plans import run_plan
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.sources.playback import fold_capture
from workers.launch.summary import sum_up

FRAMES = 5_000


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    write_capture(tmp_path / "run.vbus", some_frames(FRAMES), step_seconds=0.001)
    return tmp_path


def test_it_is_the_fold_of_the_whole_capture(run_dir: Path) -> None:
    problems: list[str] = []
    summary = sum_up(
        run_plan(run_dir), ManualClock(), lambda: False, problems.append, exit_code=3, files_done_before=0
    )
    assert problems == []
    expected = fold_capture(run_dir / "run.vbus", ManualClock()).report()
    assert {key: summary[key] for key in expected} == expected
    assert (summary["exit_code"], summary["job"]) == (3, "sixframe")
    assert json.loads((run_dir / "summary.json").read_text()) == summary


def test_one_that_is_stopped_before_the_end_of_the_capture_leaves_none_of_an_earlier_session(
    run_dir: Path,
) -> None:
    (run_dir / "summary.json").touch()
    problems: list[str] = []
    summary = sum_up(
        run_plan(run_dir), ManualClock(), lambda: True, problems.append, exit_code=130, files_done_before=0
    )
    assert summary == {}
    assert [problem.startswith("summary.json is not written") for problem in problems] == [True]
    assert not (run_dir / "summary.json").exists()
