"""Processes that are killed at every point with a name: the outputs are those of a serial run, committed once."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.support.lab import Lab
from tests.support.run_files import recorded, results, small_files, summary
from virnucpro_bus.events.vocabulary import FileCommitted, WorkerLost
from workers.fault_injection import VARIABLE

FILES = 24
KILLED = FILES // 3
TWO_WORKERS = ("--devices", "cpu:2", "--no-dashboard", "--policy", "off")
BEFORE_THE_START = "before_start"
IN_THE_JOB = ("before_job", "after_job")
# The worker may be at a later file by then, and hold others that it has done.
IN_THE_REPORT = ("after_seal", "before_report", "after_report", "after_send")
WITHOUT_A_FILE = ("after_start", "after_load")
KILLS = 6
"""Of each launcher that is killed again and again."""
OF_THE_LAUNCHER = ("after_place", "after_results_sync", "after_journal", "after_journal_sync")


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one worker makes of the files, undisturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    small_files(folder / "in", FILES)
    ended = Lab(folder).run("run", "in", "--out", "out", "--devices", "cpu:1", "--no-dashboard")
    assert ended.wait() == 0, ended.stderr
    return results(folder / "out")


def committed(run_dir: Path) -> Counter[str]:
    return Counter(envelope.event.file for envelope in recorded(run_dir, FileCommitted))


@pytest.mark.parametrize("point", [BEFORE_THE_START, *IN_THE_JOB, *IN_THE_REPORT])
def test_workers_that_are_killed_there_cost_nothing(lab: Lab, serial: dict[str, bytes], point: str) -> None:
    names = small_files(lab.folder / "in", FILES)
    # Every third: never three in a row on one device, which would speak against the device.
    doomed = names[::3]
    ended = lab.run("run", "in", "--out", "out", *TWO_WORKERS, **{VARIABLE: " ".join(["kill", point, *doomed])})
    assert ended.wait() == 0, ended.stderr
    out = lab.folder / "out"
    assert results(out) == serial
    assert committed(out) == Counter(names)
    lost = len(recorded(out, WorkerLost))
    if point == BEFORE_THE_START:
        # One that was held ahead is not begun yet: its next attempt is the first one too, and dies again.
        assert lost >= KILLED
    elif point in IN_THE_JOB:
        assert lost == KILLED
    else:
        # A doomed file that is lost with another one has used up its first attempt.
        assert 0 < lost <= KILLED
    totals = summary(out)["totals"]
    assert (totals["files_completed"], totals["files_failed"]) == (FILES, 0)


@pytest.mark.parametrize("point", WITHOUT_A_FILE)
def test_workers_that_are_killed_before_they_have_a_file_cost_nothing(
    lab: Lab, serial: dict[str, bytes], point: str
) -> None:
    names = small_files(lab.folder / "in", FILES)
    ended = lab.run("run", "in", "--out", "out", *TWO_WORKERS, **{VARIABLE: f"kill {point}"})
    assert ended.wait() == 0, ended.stderr
    assert results(lab.folder / "out") == serial
    assert committed(lab.folder / "out") == Counter(names)
    lost = recorded(lab.folder / "out", WorkerLost)
    assert [(envelope.event.file, envelope.event.epoch) for envelope in lost] == [(None, 1), (None, 1)]


def resumed_until_done(lab: Lab, serial: dict[str, bytes], points: list[str]) -> None:
    """Session after session on one run folder, each killed at the next point, the last one not."""
    names = small_files(lab.folder / "in", FILES)
    arguments = ("run", "in", "--out", "out", *TWO_WORKERS, "--resume")
    for point in points:
        ended = lab.run(*arguments, **{VARIABLE: f"kill {point}"})
        assert ended.wait() in (0, -9), ended.stderr
    ended = lab.run(*arguments)
    assert ended.wait() == 0, ended.stderr
    out = lab.folder / "out"
    assert results(out) == serial
    assert committed(out) == Counter(names)
    totals = summary(out)["totals"]
    assert (totals["files_completed"], totals["files_failed"]) == (FILES, 0)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3, 4, 5))])
def test_a_launcher_that_is_killed_there_again_and_again_costs_nothing(
    lab: Lab, serial: dict[str, bytes], seed: int
) -> None:
    points = [*OF_THE_LAUNCHER, *random.Random(seed).choices(OF_THE_LAUNCHER, k=KILLS - len(OF_THE_LAUNCHER))]
    resumed_until_done(lab, serial, points)
