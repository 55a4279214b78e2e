"""A slot of the pool, with small real processes in the worker's place."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from tests.support.plans import input_files
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.system.child_process import spawn_logged
from workers.coordinator.assignment import Assignment
from workers.desk.seat import HeldFile
from workers.pool.slot import TERM_SECONDS, Ending, Slot
from workers.pool.zygote import Fork, WorkerProcess
from workers.protocol import Answer, Task, WorkerConfig
from workers.schedule.blame import Loss

Run = Callable[..., Slot]


def config(epoch: int = 1) -> WorkerConfig:
    return WorkerConfig(
        slot=3,
        token="secret",
        channel="ipc:///nowhere",
        publish="ipc:///nowhere",
        run="run-1",
        host="node",
        source="worker-3",
        epoch=epoch,
        device_key="cpu:3",
        device_name="CPU",
        device_index=3,
        job="sixframe",
        options={"chunk": "500"},
    )


def stand_in(command: list[str]) -> Fork:
    """Starts a command in the worker's place."""

    def start(environment: Mapping[str, str], log: Path) -> WorkerProcess:
        return spawn_logged(command, log, environment=environment, stdin=subprocess.PIPE)

    return start


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts a slot's process, which is a Python `script` in the worker's place; returns its slot."""
    started: list[Slot] = []

    def start(script: str, key: str = "cpu:3") -> Slot:
        slot = Slot(3, Device(key))
        slot.spawn(config(), tmp_path / "logs" / "worker.log", 2, stand_in([sys.executable, "-c", script]))
        started.append(slot)
        return slot

    yield start
    for slot in started:
        slot.signal(signal.SIGKILL)
        if slot.process is not None:
            ended(slot)


def ended(slot: Slot) -> str:
    """Wait for its end; return how it ended."""
    while (how := slot.reap()) is None:
        threading.Event().wait(0.01)
    return how


def written(path: Path) -> str:
    """Wait for what a process writes to `path`, up to a full stop; return it."""
    while not path.exists() or not path.read_text().endswith("."):
        threading.Event().wait(0.01)
    return path.read_text()[:-1]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until_dead(pid: int) -> None:
    while is_alive(pid):
        threading.Event().wait(0.01)


def test_a_process_reads_its_configuration_from_its_input(run: Run, tmp_path: Path) -> None:
    slot = run("import sys; print(sys.stdin.readline().strip(), end='.', flush=True); sys.stdin.read()")
    sent = msgspec.json.decode(written(tmp_path / "logs" / "worker.log"), type=WorkerConfig)
    assert sent == config()
    assert slot.reap() is None


@pytest.mark.parametrize(("key", "seen"), [("cpu:3", ""), ("GPU-a", "GPU-a"), ("MIG-b", "MIG-b")])
def test_a_process_sees_its_own_device_and_no_other(run: Run, tmp_path: Path, key: str, seen: str) -> None:
    run("import os; print('<' + os.environ['CUDA_VISIBLE_DEVICES'] + '>', end='.')", key)
    assert written(tmp_path / "logs" / "worker.log") == f"<{seen}>"


def test_a_new_process_starts_without_pending_request_and_answer(run: Run, tmp_path: Path) -> None:
    slot = run("pass")
    slot.peer, slot.last_answer = b"peer", Answer(7)
    ended(slot)
    slot.spawn(config(epoch=2), tmp_path / "logs" / "worker.log", 2, stand_in(["true"]))
    assert (slot.epoch, slot.peer, slot.pending) == (2, b"", None)
    assert slot.last_answer is None


@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("pass", "ended with exit status 0"),
        ("raise SystemExit(3)", "ended with exit status 3"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
        ("import os; os.abort()", "was killed by SIGABRT"),
        ("import os; os.kill(os.getpid(), 40)", "was killed by signal 40"),
    ],
)
def test_reap_reports_how_a_process_ended(run: Run, script: str, how: str) -> None:
    slot = run(script)
    assert ended(slot) == how
    assert (slot.process, slot.reap()) == (None, None)


def test_a_process_that_dies_before_it_reads_its_configuration_is_reaped_like_any_other(tmp_path: Path) -> None:
    def dead_on_arrival(environment: Mapping[str, str], log: Path) -> WorkerProcess:
        process = stand_in(["/bin/sh", "-c", "exit 7"])(environment, log)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        return process

    slot = Slot(0, Device("cpu:0"))
    slot.spawn(config(), tmp_path / "logs" / "worker.log", 2, dead_on_arrival)
    assert slot.reap() == "ended with exit status 7"


SPAWN_STUBBORN_CHILD = (
    "import subprocess, time; child = subprocess.Popen(['/bin/sh', '-c',"
    " \"trap '' TERM; echo ready; while :; do sleep 0.05; done\"], stdout=subprocess.PIPE);"
    " child.stdout.readline(); print(child.pid, end='', flush=True); "
)
SAY_READY = "print(end='.', flush=True)"


def test_the_children_of_a_process_that_ended_are_killed(run: Run, tmp_path: Path) -> None:
    slot = run(SPAWN_STUBBORN_CHILD + SAY_READY)
    assert ended(slot) == "ended with exit status 0"
    wait_until_dead(int(written(tmp_path / "logs" / "worker.log")))
    assert slot.process is None


def test_children_that_have_left_the_group_are_killed_as_well(run: Run, tmp_path: Path) -> None:
    script = SPAWN_STUBBORN_CHILD.replace("stdout=", "start_new_session=True, stdout=")
    slot = run(script + SAY_READY)
    child = int(written(tmp_path / "logs" / "worker.log"))
    assert ended(slot) == "ended with exit status 0"
    wait_until_dead(child)


@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("", "was killed by SIGTERM"),
        ("import signal; signal.signal(15, lambda *_: exit(0)); ", "ended with exit status 0"),
        ("import signal; signal.signal(15, signal.SIG_IGN); ", "was killed by SIGKILL"),
    ],
    ids=["at-once", "cleanly", "by-force"],
)
def test_a_process_that_is_ended_ends_with_its_children(run: Run, tmp_path: Path, script: str, how: str) -> None:
    slot = run(SPAWN_STUBBORN_CHILD + script + SAY_READY + "; time.sleep(600)")
    child = int(written(tmp_path / "logs" / "worker.log"))
    slot.end(Loss.TIMED_OUT, "timed out", now_ns=0)
    if how == "was killed by SIGKILL":
        slot.kill_if_due(int(TERM_SECONDS * NANOSECONDS))
    assert ended(slot) == how
    wait_until_dead(child)
    assert slot.process is None


def test_a_stopped_process_is_killed_when_its_time_is_over(run: Run, tmp_path: Path) -> None:
    slot = run(SAY_READY + "; import time; time.sleep(600)")
    written(tmp_path / "logs" / "worker.log")
    slot.signal(signal.SIGSTOP)
    assert slot.process is not None
    # Only once it is stopped does SIGTERM have no effect.
    os.waitid(os.P_PID, slot.process.pid, os.WSTOPPED | os.WNOWAIT)
    slot.end(Loss.DIED, "hung", now_ns=0)
    slot.kill_if_due(int(TERM_SECONDS * NANOSECONDS) - 1)
    assert slot.reap() is None
    slot.kill_if_due(int(TERM_SECONDS * NANOSECONDS))
    assert ended(slot) == "was killed by SIGKILL"


def test_the_first_reason_to_end_a_process_is_the_one_that_counts(run: Run) -> None:
    slot = run("import time; time.sleep(600)")
    slot.held = [HeldFile(Assignment(input_files([1])[0], 1), "attempt-1")]
    slot.end(Loss.TIMED_OUT, "timed out", now_ns=0)
    slot.end(Loss.STOPPED, "was ended with the run", now_ns=0)
    assert slot.ending == Ending(Loss.TIMED_OUT, "timed out", int(TERM_SECONDS * NANOSECONDS), "attempt-1")


def test_where_there_is_no_process_there_is_nothing_to_reap_or_end() -> None:
    slot = Slot(0, Device("cpu:0"))
    slot.signal(signal.SIGTERM)
    slot.end(Loss.STOPPED, "was ended with the run", now_ns=0)
    slot.kill_if_due(now_ns=2**62)
    assert (slot.reap(), slot.ending) == (None, None)


def test_a_process_is_dismissed_by_the_answer_that_there_are_no_more_files() -> None:
    slot = Slot(0, Device("cpu:0"))
    answer = functools.partial(Answer, 1)
    dismissed = []
    for slot.last_answer in (None, answer((Task("f", b"", b"", 1),)), answer(()), answer(None)):
        dismissed.append(slot.dismissed)
    assert dismissed == [False, False, False, True]
