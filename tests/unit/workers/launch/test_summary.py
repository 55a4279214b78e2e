"""The summary of a run: the fold of its capture, if there is time for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.captures import some_frames, write_capture
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.sources.playback import fold_capture
from workers.launch.summary import summarize

FRAMES = 5_000


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    write_capture(tmp_path / "run.vbus", some_frames(FRAMES), step_seconds=0.001)
    return tmp_path


def test_it_is_the_fold_of_the_whole_capture(run_dir: Path) -> None:
    summary = summarize(
        *(run_dir, ManualClock(), lambda: False),
        exit_code=3,
        files_done_before=0,
        job="sixframe",
        policy="cost",
        weights=[1.0],
    )
    assert summary is not None
    expected = fold_capture(run_dir / "run.vbus", ManualClock()).report()
    assert {key: summary[key] for key in expected} == expected
    assert (summary["exit_code"], summary["job"]) == (3, "sixframe")


def test_there_is_none_if_it_is_stopped_before_the_end_of_the_capture(run_dir: Path) -> None:
    summary = summarize(
        *(run_dir, ManualClock(), lambda: True),
        exit_code=130,
        files_done_before=0,
        job="sixframe",
        policy="cost",
        weights=[1.0],
    )
    assert summary is None
