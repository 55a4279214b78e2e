"""What the launcher does about a run's merged file, without whole runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.machine import SETTINGS, Machine, some_inputs
from virnucpro_bus.files.disk import Disk
from workers.commit.result_store import ResultStore
from workers.inputs.find import find_inputs
from workers.jobs.named_job import Merge, merged_names
from workers.launch.merge_process import claim_merged, write_merged
from workers.resume.past_folder import open_past_run
from workers.resume.resume import plan_resume

MERGE = Merge("table.tsv", lambda files, target: None)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A run that can begin, in `tmp_path`/run."""
    return Machine(tmp_path / "run", some_inputs(tmp_path / "in"), Disk())


def written(run_dir: Path, *, stopped: bool = False) -> Sequence[str]:
    problems: list[str] = []
    write_merged("no such job", MERGE, run_dir, lambda: stopped, problems.append)
    return problems


def test_a_users_own_file_of_the_name_is_kept(machine: Machine, tmp_path: Path) -> None:
    mine = tmp_path / "run" / "results" / "table.tsv"
    machine.work()
    mine.write_text("mine")
    assert list(claim_merged(MERGE, tmp_path / "run")) == []
    assert written(tmp_path / "run") == [
        f"{mine}: is not a file of this run, and is kept; what the job would write there is missing"
    ]
    assert mine.read_text() == "mine"


def test_a_file_that_cannot_be_written_costs_a_line_and_leaves_no_draft(machine: Machine, tmp_path: Path) -> None:
    machine.coordinator.announce(claim_merged(MERGE, tmp_path / "run"))
    machine.work()
    draft = tmp_path / "run" / "results" / ".table.tsv.draft"
    for stopped, reason in ((True, "there was no time for it"), (False, "unknown job 'no such job'")):
        draft.touch()
        (problem,) = written(tmp_path / "run", stopped=stopped)
        assert problem.startswith(f"table.tsv is not written: {reason}")
        assert problem.endswith("; to try again, continue the run with --resume")
        assert not draft.exists()


def test_it_is_removed_with_the_run_and_when_that_is_resumed(machine: Machine, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    files = find_inputs([tmp_path / "in"]).files
    machine.coordinator.announce(claim_merged(MERGE, run_dir))
    machine.work()
    for resume in (True, False):
        (run_dir / "results" / "table.tsv").touch()
        past = open_past_run(run_dir, SETTINGS, run_dir / "log", resume=resume, force=not resume)
        if past is not None:
            assert plan_resume(past, files, ResultStore(run_dir)).done == len(files)
        assert not (run_dir / "results" / "table.tsv").exists()


def test_no_input_gets_a_name_of_the_merged_file(tmp_path: Path) -> None:
    for name in ("table.fa", "table.tsv", ".table.fa", "other.fa"):
        (tmp_path / name).touch()
    found = find_inputs([tmp_path / name for name in os.listdir(tmp_path)], reserved=merged_names(MERGE)).files
    assert {file.path.name for file in found if file.own_folder} == {"table.fa", "table.tsv", ".table.fa"}
    assert "table.tsv" not in {file.id for file in found}


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\nb"])
def test_a_merged_file_lies_in_the_results_folder(name: str) -> None:
    with pytest.raises(ValueError, match="is not a name in the results folder"):
        Merge(name, lambda files, target: None)
