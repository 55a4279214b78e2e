"""Ending child processes: those that end when asked, those that have to be killed, and those that cannot be."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from virnucpro_bus.system import child_process as processes
from virnucpro_bus.system.child_process import stop

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"


def started(script: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as output:
        output.readline()
    return process


def test_a_process_that_ends_when_asked_is_ended_so() -> None:
    assert stop(started(SLEEPER)) == -signal.SIGTERM


def test_a_process_that_ignores_sigterm_is_killed() -> None:
    assert stop(started(DEAF), seconds=0.05) == -signal.SIGKILL


def test_the_status_of_a_process_that_has_ended_is_returned() -> None:
    process = started("print('up')")
    process.wait()
    assert stop(process) == 0


class InTheDriver(subprocess.Popen[bytes]):
    """What hangs inside the kernel: no signal reaches it. Nothing can be made to do so for a test."""

    def terminate(self) -> None:
        pass

    def kill(self) -> None:
        pass


def test_a_process_that_cannot_be_ended_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "KILLED_SECONDS", 0.05)
    process = InTheDriver([sys.executable, "-c", SLEEPER])
    assert stop(process, seconds=0.05) == -signal.SIGKILL
    assert process.poll() is None
    subprocess.Popen.kill(process)
    process.wait()


def test_a_long_question_reaches_a_process_that_begins_to_read_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_POLL_SECONDS", 0.001)  # many times before the process reads anything
    question = b"x" * 1_000_000
    assert processes.ask([sys.executable, "-c", "import os; os.execlp('cat', 'cat')"], question, seconds=30) == (
        question,
        0,
    )


def test_a_process_that_does_not_answer_in_time_is_reported() -> None:
    process = subprocess.Popen(["sleep", "600"], stdout=subprocess.PIPE)
    with process:
        with pytest.raises(subprocess.TimeoutExpired):
            processes.read_output(process, 0.05)
        process.kill()


def test_a_question_to_a_command_is_dropped_once_that_is_stopped() -> None:
    assert processes.ask(["sh", "-c", "cat; exit 3"], b"why") == (b"why", 3)
    with pytest.raises(subprocess.TimeoutExpired):
        processes.ask(["sleep", "600"], b"", stopped=lambda: True)
