"""The report at the end of a run: the run does not depend on it, and nothing of the user's is replaced."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.captures import write_capture
from tests.support.reported_runs import reported, small_run
from virnucpro_bus.run_folder import REPORT_MARK
from workers.launch import report_process
from workers.launch.report_process import remove_report, write_report


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    write_capture(tmp_path / "run.vbus", small_run().frames())
    return tmp_path


def instead(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Have another program run instead of the command."""

    def command(*_: str) -> Sequence[str]:
        return [sys.executable, "-c", program]

    monkeypatch.setattr(report_process, "self_command", command)


def written(run_dir: Path, *, stopped: bool = False) -> list[str]:
    problems: list[str] = []
    write_report(run_dir, lambda: stopped, problems.append)
    return problems


def test_the_page_is_known_by_its_mark_and_removed_when_a_session_begins(run_dir: Path) -> None:
    assert written(run_dir) == []
    page = (run_dir / "report.html").read_bytes()
    assert REPORT_MARK in page
    assert written(run_dir) == []  # one of an earlier session is replaced
    remove_report(run_dir)
    assert not (run_dir / "report.html").exists()
    remove_report(run_dir)


def test_a_users_own_file_of_that_name_is_kept(run_dir: Path) -> None:
    mine = run_dir / "report.html"
    mine.write_text("mine")
    remove_report(run_dir)
    (problem,) = written(run_dir)
    assert problem.startswith(
        f"{mine}: is not a report of a run, and is kept; to write one: virnucpro-bus report "
    )
    assert mine.read_text() == "mine"


def test_what_the_command_says_last_is_the_reason(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "import sys; sys.exit('virnucpro-bus: run.vbus: the disk is broken')")
    (problem,) = written(run_dir)
    assert problem.startswith("report.html is not written: run.vbus: the disk is broken; to write one: ")


def test_a_run_that_is_to_end_at_once_does_not_wait_for_it(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, "import time; time.sleep(60)")
    (problem,) = written(run_dir, stopped=True)
    assert problem.startswith("report.html is not written; to write one: ")


def test_a_process_that_the_system_refuses_is_one_line(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", refuse)
    (problem,) = written(run_dir)
    assert "report.html: is not written: Resource temporarily unavailable; to write one" in problem


def test_the_mark_is_that_of_every_page() -> None:
    from monitor.report.page import make_page

    assert REPORT_MARK in make_page([reported(small_run())], "1").encode()[:4096]
