"""Runs in which Dask's own scheduler decides, in real processes: `--policy dask`."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.event_balance import assert_that_the_books_balance
from tests.support.lab import Lab, Started
from tests.support.run_files import USER_JOBS, Gates, recorded, results
from virnucpro_bus import events as ev

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

DEADLY, LONG = "part_10.fa", "part_09.fa"


@pytest.fixture(scope="module")
def scheduled(forty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Started, Path]]:
    """A run of 40 files, nearly all assigned to one of two workers; one was killed while it had `DEADLY`.

    One waited over a file until Dask had moved one of those that were to follow it.
    """
    lab = Lab(tmp_path_factory.mktemp("scheduled"))
    shutil.copy(USER_JOBS, lab.folder)
    gates = Gates(lab.folder / "gates")
    gates.close(LONG)
    job = ("--job", "user_jobs:gated", "--job-option", gates.option)
    options = ("--engine", "dask", "--policy", "dask", "--devices", "cpu:2", "--weights", "9,1", "--no-dashboard")
    ended = lab.start("run", forty, "--out", "out", *options, *job, VIRNUCPRO_FAULT=f"kill after_job {DEADLY}")
    ended.until(gates.waiting, "a worker is at the long file")
    ended.until(lambda: recorded(lab.folder / "out", ev.WorkStolen), "a file was stolen from behind it")
    gates.open()
    ended.wait()
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
