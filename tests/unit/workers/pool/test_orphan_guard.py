"""The process that ends the workers' groups when the launcher has died, with real processes."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from virnucpro_bus.system.signals import ENDING_SIGNALS
from workers.pool import guard_process
from workers.pool.guard_process import OrphanGuard
from workers.pool.orphan_guard import MARK_VARIABLE, kill_marked

END_SECONDS = 30
MARK = secrets.token_hex(8)
LAUNCHER = """
import subprocess, sys
from workers.pool.guard_process import OrphanGuard
guard = OrphanGuard(print)
shell = subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; sleep 600 & echo; wait"], process_group=0)
guard.watch(shell.pid, "mark")
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def guard() -> Iterator[OrphanGuard]:
    guard = OrphanGuard(pytest.fail)
    guard.start()
    yield guard
    guard.close()


@pytest.fixture
def runaway() -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts a process in a session of its own, which has inherited this mark."""
    started: list[subprocess.Popen[bytes]] = []

    def start(mark: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, MARK_VARIABLE: mark}
        started.append(subprocess.Popen(["sleep", "600"], start_new_session=True, env=environment))
        # The kernel shows no environment while it still loads the program.
        shown = Path(f"/proc/{started[-1].pid}/environ")
        while mark.encode() not in shown.read_bytes():
            threading.Event().wait(0.01)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"], process_group=0)
    yield process
    process.kill()
    process.wait()


def process_of(guard: OrphanGuard) -> subprocess.Popen[bytes]:
    assert guard._process is not None
    return guard._process


def ignores(pid: int, number: signal.Signals) -> bool:
    """Whether a process ignores the signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(status.partition("SigIgn:\t")[2].split()[0], 16) & 1 << (number - 1))


def test_a_group_that_is_watched_ends_with_all_its_processes_when_the_launcher_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as launcher:
        assert launcher.stdout is not None
        for _ in ("the shell", "the launcher"):
            launcher.stdout.readline()
        launcher.kill()
        launcher.wait()
        # The shell and its child hold the other end of the pipe: it closes only when both have ended.
        assert launcher.stdout.read() == b""


def test_a_group_that_is_watched_ends_when_the_pipe_to_the_guard_closes(
    guard: OrphanGuard, sleeper: subprocess.Popen[bytes]
) -> None:
    guard.watch(sleeper.pid, MARK)
    guard.close()
    assert sleeper.wait(END_SECONDS) == -signal.SIGKILL


def test_a_process_that_has_left_the_group_ends_too(
    guard: OrphanGuard,
    sleeper: subprocess.Popen[bytes],
    runaway: Callable[[str], subprocess.Popen[bytes]],
) -> None:
    process = runaway(MARK)
    guard.watch(sleeper.pid, MARK)
    guard.close()
    assert process.wait(END_SECONDS) == -signal.SIGKILL


def test_only_processes_with_the_whole_mark_are_killed(runaway: Callable[[str], subprocess.Popen[bytes]]) -> None:
    others = [runaway(mark) for mark in (f"{MARK}1", MARK[:-1], f"x{MARK}", secrets.token_hex(8))]
    marked = [runaway(MARK) for _ in range(3)]
    kill_marked(MARK)
    assert [process.wait(END_SECONDS) for process in marked] == [-signal.SIGKILL] * 3
    assert [process.poll() for process in others] == [None] * 4


def test_a_group_that_has_ended_is_forgotten(guard: OrphanGuard, sleeper: subprocess.Popen[bytes]) -> None:
    guard.watch(sleeper.pid, MARK)
    guard.forget(sleeper.pid)
    guard.close()
    assert sleeper.poll() is None


@pytest.mark.parametrize("number", [*ENDING_SIGNALS, signal.SIGQUIT])
def test_a_signal_that_asks_it_to_end_does_not_end_it(
    guard: OrphanGuard, sleeper: subprocess.Popen[bytes], number: signal.Signals
) -> None:
    guard.watch(sleeper.pid, MARK)
    while not ignores(process_of(guard).pid, number):
        threading.Event().wait(0.01)
    process_of(guard).send_signal(number)
    guard.close()
    assert sleeper.wait(END_SECONDS) == -signal.SIGKILL


def test_the_end_of_a_run_waits_for_no_guard_that_is_stopped(
    guard: OrphanGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard_process, "END_SECONDS", 0.05)
    process_of(guard).send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process_of(guard).pid, os.WSTOPPED | os.WNOWAIT)
    guard.close()
    assert process_of(guard).returncode == -signal.SIGKILL


def test_a_guard_that_is_dead_or_stopped_does_not_block_the_launcher(
    guard: OrphanGuard, sleeper: subprocess.Popen[bytes]
) -> None:
    process_of(guard).send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process_of(guard).pid, os.WSTOPPED | os.WNOWAIT)
    for _ in range(20_000):
        guard.watch(sleeper.pid, MARK)
    process_of(guard).kill()
    process_of(guard).wait()
    guard.forget(sleeper.pid)
    assert sleeper.poll() is None


def test_a_guard_that_cannot_be_started_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", refuse)
    warnings: list[str] = []
    guard = OrphanGuard(warnings.append)
    for group in (1, 2):
        guard.watch(group, MARK)
        guard.forget(group)
    guard.close()
    (warning,) = warnings
    assert warning.startswith("the orphan guard cannot be started: Resource temporarily unavailable; ")
