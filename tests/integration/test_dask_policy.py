"""Runs in which Dask's own scheduler decides, in real processes: `--policy dask`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.event_balance import assert_that_the_books_balance
from tests.support.lab import Lab, Started
from tests.support.run_files import recorded, results
from virnucpro_bus import events as ev

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

DEADLY = "part_10.fa"


@pytest.fixture(scope="module")
def scheduled(forty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Started, Path]]:
    """A run of 40 files, nearly all assigned to one of two workers; one was killed while it had `DEADLY`."""
    lab = Lab(tmp_path_factory.mktemp("scheduled"))
    options = ("--engine", "dask", "--policy", "dask", "--devices", "cpu:2", "--weights", "9,1", "--no-dashboard")
    ended = lab.run("run", forty, "--out", "out", *options, VIRNUCPRO_FAULT=f"kill after_job {DEADLY}")
    yield lab, ended, lab.folder / "out"
    assert lab.left_behind() == []
    assert_that_the_books_balance(lab.folder)


def test_dask_moves_files_and_each_is_done_once_although_a_worker_is_killed(
    scheduled: tuple[Lab, Started, Path], serial_results: dict[str, bytes]
) -> None:
    _, ended, run_dir = scheduled
    assert ended.wait() == 0, ended.stderr
    assert results(run_dir) == serial_results
    commits = Counter(each.event.file for each in recorded(run_dir, ev.FileCommitted))
    assert len(commits) == 40
    assert set(commits.values()) == {1}
    assert DEADLY in {each.event.file for each in recorded(run_dir, ev.WorkerLost)}
    planned = {
        file.file: each.event.device for each in recorded(run_dir, ev.FilesAssigned) for file in each.event.files
    }
    stolen = [each.event for each in recorded(run_dir, ev.WorkStolen)]
    assert stolen
    assert all(planned[each.file] == each.victim != each.thief for each in stolen)


def test_it_is_measured_as_any_other_run_and_compared_with_our_policies(
    scheduled: tuple[Lab, Started, Path],
) -> None:
    lab, _, run_dir = scheduled
    summary = json.loads((run_dir / "summary.json").read_text())
    report = json.loads(lab.run("replay", run_dir, "--once", "--json").stdout)
    assert {key: report[key] for key in ("totals", "devices", "effect")} == {
        key: summary[key] for key in ("totals", "devices", "effect")
    }
    assert summary["effect"]["moves"] > 0
    found = json.loads(lab.run("whatif", run_dir, "--json").stdout)
    assert found["recorded"]["policy"] == "dask"
    assert found["note"] == "the policy dask cannot be simulated: Dask's own scheduler decided"
