"""What signals do to a worker process, and to the processes that its job starts."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT
from virnucpro_bus.system.signals import ENDING_SIGNALS

WORKER = """
import os, signal, subprocess, sys, time
from workers.process.termination import LauncherSignals
LauncherSignals(0)
print("ready", flush=True)
"""
SLEEP = "time.sleep(600)"
WORK = "for _ in range(100): time.sleep(0.005)\nprint('done', flush=True)"
HANDLE = "signal.signal(signal.SIGTERM, lambda *_: (print('handled', flush=True), os._exit(0)))\n"
FORK = "child = os.fork() or (signal.pause(), os._exit(0))\nos.kill(child, signal.SIGTERM)\n"
WAIT_FOR_IT = "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)"


class Started:
    def __init__(self, script: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER + script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        assert self.read() == "ready"

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().strip()

    def close_pipe(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def end(self) -> None:
        self.process.kill()
        with self.process:
            pass


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[Started]:
    started = Started(request.param)
    yield started
    started.end()


@pytest.mark.parametrize("started", [WORK], indirect=True)
def test_while_the_pipe_is_open_no_signal_disturbs_the_job(started: Started) -> None:
    for number in ENDING_SIGNALS:
        started.process.send_signal(number)
    assert started.read() == "done"


@pytest.mark.parametrize("started", [SLEEP], indirect=True)
def test_after_the_end_of_the_pipe_sigterm_ends_it(started: Started) -> None:
    started.process.send_signal(signal.SIGTERM)
    started.close_pipe()
    started.process.send_signal(signal.SIGUSR1)
    started.process.send_signal(signal.SIGTERM)
    assert started.process.wait(30) == -signal.SIGTERM


@pytest.mark.parametrize("started", [FORK + WAIT_FOR_IT], indirect=True)
def test_a_process_that_the_job_has_forked_ends_by_sigterm(started: Started) -> None:
    assert started.read() == f"{-signal.SIGTERM}"


@pytest.mark.parametrize(
    "started",
    ["child = subprocess.Popen(['sleep', '600']); child.terminate(); print(child.wait(), flush=True)"],
    indirect=True,
)
def test_a_program_that_the_job_has_started_ends_by_sigterm(started: Started) -> None:
    assert started.read() == f"{-signal.SIGTERM}"


@pytest.mark.parametrize("started", [HANDLE + FORK + "signal.pause()"], indirect=True)
def test_a_handler_that_the_job_sets_stays_in_the_processes_that_it_forks(started: Started) -> None:
    assert started.read() == "handled"
