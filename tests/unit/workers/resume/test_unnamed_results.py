"""Runs whose journal does not hold the names of results, as earlier versions wrote it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.machine import Machine, some_inputs
from tests.support.run_files import results
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.codec import topic_prefix
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.run_folder import CAPTURE_NAME
from workers.commit.result_store import ResultStore
from workers.inputs.find import find_inputs
from workers.resume.journal import read_past_run
from workers.resume.resume import ResumePlan, plan_resume


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run that is over, without any `file.results/`."""
    Machine(tmp_path / "run", some_inputs(tmp_path / "in"), Disk()).work()
    capture = tmp_path / "run" / CAPTURE_NAME
    frames = [record.frame for record in CaptureReader(capture)]
    capture.unlink()
    with CaptureWriter(capture, ManualClock(), "run") as writer:
        writer.append(frame for frame in frames if not frame.startswith(topic_prefix("file.results/")))
    return tmp_path / "run"


def resumed(run_dir: Path) -> ResumePlan:
    files = find_inputs([run_dir.parent / "in"]).files
    return plan_resume(read_past_run(run_dir / CAPTURE_NAME), files, ResultStore(run_dir))


def test_its_results_are_found_by_their_places(run_dir: Path) -> None:
    resumption = resumed(run_dir)
    assert (resumption.remaining, resumption.done) == ((), 5)


def test_results_that_are_gone_are_not_found(run_dir: Path) -> None:
    shutil.rmtree(run_dir / "results")
    assert len(resumed(run_dir).remaining) == 5


def beside(run_dir: Path) -> Path:
    return run_dir / "results" / "two.more"


def within_a_folder_of_results(run_dir: Path) -> Path:
    return run_dir / "results" / "deep.fa" / "more"


@pytest.mark.parametrize("place", [beside, within_a_folder_of_results])
def test_where_files_were_added_the_results_are_made_again_and_nothing_is_removed(
    run_dir: Path, place: Callable[[Path], Path]
) -> None:
    before = results(run_dir)
    place(run_dir).write_text("mine")
    assert len(resumed(run_dir).remaining) == 1
    Machine(run_dir, find_inputs([run_dir.parent / "in"]).files, Disk(), wall_seconds=9).work()
    assert place(run_dir).read_text() == "mine"
    assert results(run_dir).items() >= before.items()
    assert resumed(run_dir).done == 5
