"""A worker's watch over its launcher, in real processes: what happens when the pipe closes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.support.paths import ROOT
from workers.process.parent_watch import EXIT_ORPHANED

Child = Callable[..., "subprocess.Popen[bytes]"]
END_SECONDS = 60
"""Much longer than needed, so that a busy machine does not fail the test."""

WATCHING = """
import os, subprocess, sys, threading
import workers.process.parent_watch
workers.process.parent_watch.GRACE_SECONDS = 0.1
watch = workers.process.parent_watch.ParentWatch(sys.stdin.buffer)
print(watch.first_line().decode().strip(), watch.alive(), flush=True)
watch.start()
"""
BUSY = "while True: sum(range(1000))"


@pytest.fixture
def child() -> Iterator[Child]:
    """Starts a process that watches the pipe on its standard input and then does `what`."""
    started = []

    def start(what: str, *, own_group: bool = True) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", WATCHING + what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            process_group=0 if own_group else None,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


def begin(process: subprocess.Popen[bytes]) -> str:
    """Send the first line; return what the process prints then."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"configuration\n")
    process.stdin.flush()
    return process.stdout.readline().decode().strip()


def hang_up(process: subprocess.Popen[bytes]) -> int:
    """Close the pipe; return the exit status that follows."""
    assert process.stdin is not None
    process.stdin.close()
    return process.wait(END_SECONDS)


def test_the_first_line_is_the_configuration_and_the_launcher_is_alive(child: Child) -> None:
    assert begin(child("sys.exit()")) == "configuration True"


def test_a_busy_worker_ends_with_its_whole_group_when_the_pipe_closes(child: Child) -> None:
    process = child(
        "inner = subprocess.Popen(['sleep', '600'])\nprint('ready', flush=True)\n" + BUSY,
    )
    begin(process)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert hang_up(process) == -signal.SIGKILL
    # The inner process holds the pipe's other end too: it closes only when both have ended.
    assert process.stdout.read() == b""


def test_a_worker_that_leads_no_group_ends_alone(child: Child) -> None:
    process = child(BUSY, own_group=False)
    begin(process)
    assert hang_up(process) == EXIT_ORPHANED


def test_a_worker_that_waits_for_its_launcher_learns_of_its_death(child: Child) -> None:
    process = child("while watch.alive(): threading.Event().wait(0.01)\nos._exit(7)")
    begin(process)
    assert hang_up(process) == 7


def test_more_lines_do_not_end_the_watch(child: Child) -> None:
    process = child("print(sys.stdin is not None, flush=True)\n" + BUSY)
    begin(process)
    assert process.stdin is not None
    process.stdin.write(b"more\n" * 1000)
    process.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    assert hang_up(process) == -signal.SIGKILL


LAUNCHER = """
import subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE)
sys.stdin.read()
"""
DEEP_IN_A_CALL = """
import ctypes
from workers.process.parent_watch import end_with_parent
end_with_parent()
print("ready", flush=True)
# Unlike CDLL, it does not release Python's lock: no thread runs, no signal handler either.
ctypes.PyDLL(None).sleep(600)
"""


def test_a_worker_that_never_releases_the_python_lock_ends_with_its_launcher() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, DEEP_IN_A_CALL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == b"ready\n"
        launcher.kill()
        launcher.wait()
        # The worker holds the other end of the pipe.
        assert launcher.stdout.read() == b""
