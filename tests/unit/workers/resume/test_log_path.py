"""Where a run's metrics log may go, and which files are logs of the run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.log.metrics_log import MetricsLog
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.metrics_log_format import SIGNATURE, is_metrics_log
from workers.resume.log_path import choose_log_path, own_logs


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


# Where it goes.


def test_a_name_is_one_in_the_run_folder_and_a_path_is_one(tmp_path: Path) -> None:
    missing = tmp_path / "out"
    assert choose_log_path(missing, "log.csv") == missing / "log.csv"
    assert choose_log_path(missing, str(tmp_path / "log.csv")) == tmp_path / "log.csv"
    assert choose_log_path(missing, "../log.csv") == missing / "../log.csv"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "the name is empty; give a file name or a path"),
        *((name, "is a folder; add a file name") for name in (".", "..", "sub", "sub/..", "/", "sub/deeper/..")),
        *(
            (name, "is reserved for other files of the run; choose another name")
            for name in ("run.vbus", "summary.json", "bus.json", "sub/../run.vbus", "../out/run.vbus", "link")
        ),
        *(
            (f"{name}/log.csv", "is reserved for other files of the run; choose another name")
            for name in ("results", "results/deeper", "logs", ".attempts", ".bus")
        ),
        ("missing/log.csv", "does not exist; create it first"),
        ("/nowhere/at/all/log.csv", "the folder /nowhere/at/all does not exist; create it first"),
    ],
)
def test_a_path_that_cannot_be_a_log_is_refused(run_dir: Path, name: str, why: str) -> None:
    (run_dir / "sub").mkdir()
    (run_dir / "link").symlink_to("run.vbus")
    with pytest.raises(UserError, match=why):
        choose_log_path(run_dir, name)


def test_a_run_folder_that_is_yet_to_be_made_is_not_a_log(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder; add a file name"):
        choose_log_path(tmp_path / "out", ".")


# Which are the run's.


def logged(path: Path) -> Path:
    """`path`, where a monitor has begun a log."""
    log = MetricsLog(path, ManualClock())
    log.write([])
    assert log.problem is None
    return path


def test_what_a_monitor_writes_is_known_for_a_metrics_log(run_dir: Path) -> None:
    assert is_metrics_log(logged(run_dir / "log.csv"))


NO_LOGS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "somebody's text": lambda path: path.write_text("precious"),
    "an empty file": lambda path: path.touch(),
    "less than a header": lambda path: path.write_bytes(SIGNATURE[:-1]),
    "a link to a log": lambda path: path.symlink_to(logged(path.with_name("real"))),
}


@pytest.mark.parametrize("make", NO_LOGS.values(), ids=NO_LOGS)
def test_what_is_not_a_metrics_log_is_not_removed(run_dir: Path, make: Callable[[Path], object]) -> None:
    make(run_dir / "log.csv")
    make(run_dir / "log.csv.1")
    assert own_logs(run_dir, run_dir / "log.csv") == []


def test_a_log_and_those_moved_aside_are_the_runs(run_dir: Path) -> None:
    logs = [logged(run_dir / name) for name in ("log.csv", "log.csv.1", "log.csv.9")]
    for name in ("log.csv.10", "log.csv.x", "other.csv"):
        logged(run_dir / name)
    assert own_logs(run_dir, run_dir / "log.csv") == logs


def test_a_log_outside_the_run_folder_is_not_the_runs(run_dir: Path) -> None:
    outside = logged(run_dir.parent / "log.csv")
    (run_dir / "link").symlink_to(run_dir.parent)
    for path in (outside, run_dir / ".." / "log.csv", run_dir / "link" / "log.csv"):
        assert is_metrics_log(path)
        assert own_logs(run_dir, path) == []


def test_a_log_deeper_in_the_run_folder_is_the_runs_whatever_leads_there(run_dir: Path) -> None:
    (run_dir / "sub").mkdir()
    logged(run_dir / "sub" / "log.csv")
    (run_dir.parent / "link").symlink_to(run_dir)
    path = run_dir.parent / "link" / "sub" / "log.csv"
    assert own_logs(run_dir, path) == [path]
