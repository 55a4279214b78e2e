"""What scripts need of real runs: to wait, the exit status, the end in one line, and commands that are called."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support.in_process import refusal
from tests.support.lab import Lab, wait_until
from tests.support.run_files import recorded, small_files
from virnucpro_bus.events.run_events import RunDraining

NOTE = """#!/bin/sh
echo "$VIRNUCPRO_EVENT $VIRNUCPRO_EVENT_STATE $VIRNUCPRO_EVENT_EXIT_CODE $VIRNUCPRO_EVENT_FILE" \
  "$VIRNUCPRO_EVENT_FILES_COMPLETED summary:$(cd "$VIRNUCPRO_EVENT_RUN_DIR" && test -e summary.json && echo yes)" \
  >> calls
"""
JOB = """
import time
from pathlib import Path

def job(input, output, context):
    if input.stem == "small_02":
        raise ValueError("is bad")
    return 1

def waits(input, output, context):
    (Path(__file__).parent / f"begun-{input.stem}").touch()
    while not (Path(__file__).parent / "go").exists():
        time.sleep(0.01)
    return 1
"""


@pytest.fixture
def prepared(lab: Lab) -> Lab:
    """A lab with inputs, a job that fails at one of them, one that waits, and a command to be called."""
    (lab.folder / "scripted.py").write_text(JOB)
    small_files(lab.folder / "in", 4)
    note = lab.folder / "note"
    note.write_text(NOTE)
    note.chmod(0o755)
    return lab


def run_options(job: str) -> list[str]:
    return ["run", "in", "--out", "out", "--devices", "cpu:1", "--no-dashboard", "--job", f"scripted:{job}"]


def calls(lab: Lab) -> list[str]:
    path = lab.folder / "calls"
    return [line.strip() for line in path.read_text().splitlines()] if path.exists() else []


def handles_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text().split("SigCgt:")[1].split()[0]
    return bool(int(status, 16) >> (signal.SIGTERM - 1) & 1)


def test_a_script_waits_for_a_run_that_has_not_begun_and_gets_its_status_and_its_end_in_one_line(
    prepared: Lab,
) -> None:
    waiting = prepared.start("monitor", "out", "--wait", "--exit-status")
    waiting.until_it_says("waiting for a run to begin")
    ended = prepared.run(*run_options("job"), "--retries", "0")
    assert (ended.wait(), waiting.wait()) == (3, 3)
    (line,) = waiting.stdout.splitlines()
    assert line.startswith("out: finished with exit status 3: 3 of 4 files done, 1 failed, in ")
    over = prepared.run("monitor", "out", "--wait", "--json")
    (report,) = map(json.loads, over.stdout.splitlines())
    assert (over.wait(), report["runs"][0]["state"]) == (0, "finished")
    assert [file["log"] for file in report["failed_files"]] == ["logs/small_02.fa.1.log"]


def test_ctrl_c_ends_the_waiting(prepared: Lab) -> None:
    waiting = prepared.start("monitor", "out", "--wait")
    waiting.until_it_says("waiting for a run to begin")
    waiting.signal(signal.SIGINT)
    assert (waiting.wait(), waiting.stdout) == (130, "")


def test_a_run_calls_its_commands_and_is_draining_from_its_signal_to_its_end(prepared: Lab) -> None:
    running = prepared.start(*run_options("waits"), "--on-end", "./note", "--on-failure", "./note")
    running.until(lambda: list(prepared.folder.glob("begun-*")), "a file is in progress")
    running.signal(signal.SIGTERM)
    running.until_it_says("SIGTERM")
    state = json.loads(prepared.run("monitor", "out", "--once", "--json").stdout)["runs"][0]
    assert (state["state"], state["draining_reason"], state["eta_seconds"]) == ("draining", "SIGTERM", None)
    (prepared.folder / "go").touch()
    assert running.wait() == 143
    assert calls(prepared) == ["end interrupted 143  1 summary:yes"]
    assert running.stdout.count("files done") == 1
    assert [each.event.reason for each in recorded(prepared.folder / "out", RunDraining)] == ["SIGTERM"]


def test_the_end_is_called_once_also_for_a_launcher_that_was_killed(prepared: Lab) -> None:
    running = prepared.start(*run_options("waits"), "--on-end", "./note")
    running.until(lambda: list(prepared.folder.glob("begun-*")), "a file is in progress")
    watcher = running.child("--launched")
    running.until(lambda: handles_sigterm(watcher), "the process that calls commands is up")
    os.kill(watcher, signal.SIGTERM)  # what ends the run may reach all of its processes
    running.signal(signal.SIGKILL)
    running.wait()
    wait_until(lambda: calls(prepared), "the command is called")
    assert calls(prepared) == ["end broken off   0 summary:"]


def test_failed_files_are_reported_before_the_end(prepared: Lab) -> None:
    assert (
        prepared.run(*run_options("job"), "--retries", "0", "--on-end", "./note", "--on-failure=./note").wait()
        == 3
    )
    failure, end = calls(prepared)
    assert failure.split()[0] == "failure"
    assert " small_02.fa " in failure
    assert end == "end finished 3  3 summary:yes"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("no-such-program x", "'no-such-program': is not a program that can be started"),
        ("echo 'x", "cannot be divided into words: No closing quotation"),
        (" ", "the command is empty"),
    ],
)
def test_a_command_that_cannot_be_called_is_refused_before_anything_starts(
    command: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("run", tmp_path, "--out", tmp_path / "out"), ("monitor", tmp_path)):
        assert reason in refusal(capsys, *words, "--on-end", command)
    assert list(tmp_path.iterdir()) == []
