"""The subcommand `logs`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from monitor.cli import logs as command
from tests.support.in_process import ended, refusal
from virnucpro_bus.errors import EndedError


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder, by a relative path, of which two files and a worker have logs."""
    monkeypatch.chdir(tmp_path)
    folder = Path("first-run")
    (folder / "logs").mkdir(parents=True)
    texts = {
        "a.fa.1.log": b"no\n",
        "a.fa.2.log": b"yes\x1b[2J\n",
        "b.fa.1.log": b"b\n",
        "worker-0.log": b"loading\n",
    }
    for at, (name, text) in enumerate(texts.items()):
        (folder / "logs" / name).write_bytes(text)
        os.utime(folder / "logs" / name, ns=(at, at))
    (folder / "logs" / "b.fa.2.log").touch()
    return folder


def test_the_logs_of_a_run_are_listed(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("logs", run_dir) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["3", "B", "first-run/logs/a.fa.1.log"],
        ["8", "B", "first-run/logs/a.fa.2.log"],
        ["2", "B", "first-run/logs/b.fa.1.log"],
        ["8", "B", "first-run/logs/worker-0.log"],
    ]


def test_all_attempts_at_a_file_are_shown_as_they_are_in_a_pipe(
    run_dir: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert ended("logs", run_dir, "a.fa") == 0
    shown = b"==> logs/a.fa.1.log <==\nno\n\n==> logs/a.fa.2.log <==\nyes\x1b[2J\n"
    assert capfdbinary.readouterr().out == shown


def test_one_log_alone_has_no_head(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("logs", run_dir, "b.fa") == 0
    assert ended("logs", run_dir, "--worker", "0") == 0
    assert capsys.readouterr().out == "b\nloading\n"


def test_on_a_terminal_nothing_in_a_log_controls_it(
    run_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (run_dir / "logs" / "b.fa.1.log").write_bytes(b"\x1b[2Jb\n 1 %\r 2 %\r\nnot ended")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert ended("logs", run_dir, "b.fa") == 0
    assert capsys.readouterr().out == "\\x1b[2Jb\n 2 %\nnot ended\n"


def test_what_has_no_log_is_refused_with_what_may_be_meant(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capsys, "logs", run_dir, "a.faa")
    assert line == (
        "a.faa: has printed nothing, or is not a file of this run (did you mean a.fa?); "
        "to list the logs: virnucpro-bus logs first-run"
    )
    assert refusal(capsys, "logs", run_dir, "--worker", "7").startswith("worker 7: has printed nothing by itself")


def test_a_run_is_followed_until_it_ends(
    run_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    additions = iter([b"more\n", b"the end\n"])
    is_live = True

    def work(_: float) -> None:
        nonlocal is_live
        text = next(additions)
        with (run_dir / "logs" / "b.fa.1.log").open("ab") as log:
            log.write(text)
        is_live = text != b"the end\n"

    def ask(_: Path) -> None:
        if not is_live:
            raise EndedError("over")

    monkeypatch.setattr(command, "sleep", work)
    monkeypatch.setattr(command, "read_addresses", ask)
    assert ended("logs", run_dir, "b.fa", "-f") == 0
    assert capsys.readouterr().out == "==> logs/b.fa.1.log <==\nb\nmore\nthe end\n"
