"""The logs in run folders, for a dashboard."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.run_logs import RunLogs


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with three logs, the first of which was written last."""
    (tmp_path / "logs").mkdir()
    for age, (name, text) in enumerate(
        [("a.fa.2.log", "again\n"), ("worker-0.log", "ready\n"), ("a.fa.1.log", "one\n\x1b[31mtwo\n")]
    ):
        path = tmp_path / "logs" / name
        path.write_text(text)
        os.utime(path, (1_000 - age, 1_000 - age))
    return tmp_path


def test_the_log_that_was_written_last_comes_first_and_after_the_last_the_first(run: Path) -> None:
    logs = RunLogs([run])
    pages = [logs.page(number) for number in (0, 1, 2, 3, -1)]
    assert [page and page.name.rpartition("/")[2] for page in pages] == [
        *("a.fa.2.log", "worker-0.log", "a.fa.1.log", "a.fa.2.log", "a.fa.1.log"),
    ]
    assert [(page.number, page.total) for page in pages if page] == [(0, 3), (1, 3), (2, 3), (0, 3), (2, 3)]


def test_its_lines_are_safe_to_print(run: Path) -> None:
    page = RunLogs([run]).page(2)
    assert page is not None
    assert page.lines == ("one", "\\x1b[31mtwo")


def test_of_files_the_first_that_has_a_log_is_shown_by_its_last_attempt(run: Path) -> None:
    page = RunLogs([run]).of_files(["b.fa", "../logs/a.fa", "a.fa"])
    assert page is not None
    assert page.name.endswith("a.fa.2.log")
    assert RunLogs([run]).of_files(["b.fa"]) is None


def test_a_run_without_logs_has_none(tmp_path: Path) -> None:
    assert RunLogs([tmp_path, tmp_path / "missing"]).page(0) is None
    assert RunLogs([]).page(0) is None


def test_a_worker_has_the_log_of_its_own_output_and_no_other(run: Path) -> None:
    logs = RunLogs([run])
    own = logs.of_worker("worker-0")
    assert own is not None
    assert (own.name, own.lines) == ("logs/worker-0.log", ("ready",))
    assert [logs.of_worker(name) for name in ("worker-1", "a.fa.1", "../logs/worker-0", "")] == [None] * 4
