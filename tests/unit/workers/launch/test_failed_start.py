"""A run that cannot start: one line for the user, and nothing in the way of the same command."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

from tests.support.captures import some_frames, write_capture
from tests.support.plans import cpus, run_plan
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.events import FilesAssigned, Notice, PlannedFile, RunStarted
from virnucpro_bus.hub import bus_server
from virnucpro_bus.run_folder import RunFolder
from virnucpro_bus.testing import Script
from workers.inputs.find import find_inputs
from workers.launch.launcher import Launcher
from workers.pool.pool import WorkerPool
from workers.resume.journal import holds_run
from workers.resume.past_folder import settings_of

JOB = "sixframe"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def start(out: Path, *, resume: bool = False) -> int:
    """Try to run one file; returns the exit status."""
    (out.parent / "a.fa").write_text(">a\nACGT\n")
    plan = run_plan(out, find_inputs([out.parent / "a.fa"]).files, job=JOB, resume=resume)
    return Launcher(plan, SystemClock()).run()


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


NO_FILES = zmq.ZMQError(errno.EMFILE)
NO_PROCESS = OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
FAILURES: dict[str, tuple[object, str, Exception, str]] = {
    "hub": (
        bus_server,
        "Hub",
        NO_FILES,
        "the bus cannot be opened: Too many open files; allow more with ulimit -n",
    ),
    "bus.json": (
        RunFolder,
        "announce",
        OSError(errno.ENOSPC, "No space left"),
        "the bus cannot be opened: No space",
    ),
    "pool": (WorkerPool, "__init__", NO_FILES, "the run cannot start: Too many open files; allow more"),
    "worker": (WorkerPool, "start", NO_PROCESS, "the run cannot start: Resource temporarily unavailable"),
}


@pytest.mark.parametrize(("owner", "name", "error", "said"), FAILURES.values(), ids=FAILURES)
def test_whatever_fails_before_the_first_file_leaves_nothing(
    out: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, error: Exception, said: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing(error))
        with pytest.raises(UserError, match=f"^{out}: {said}"):
            start(out)
    assert not out.exists()


def test_a_run_that_is_interrupted_before_its_first_file_leaves_nothing(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(WorkerPool, "start", lambda pool: os.kill(os.getpid(), signal.SIGINT))
    assert start(out) == 130
    assert f"{out}: the run ended before its first file, and is not kept" in capsys.readouterr().err
    assert not out.exists()


def test_a_resumed_run_that_is_interrupted_before_its_first_file_is_kept(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = begun(out).read_bytes()
    monkeypatch.setattr(WorkerPool, "start", lambda pool: os.kill(os.getpid(), signal.SIGINT))
    assert start(out, resume=True) == 130
    assert (out / "run.vbus").read_bytes().startswith(before)
    assert (out / "summary.json").exists()


def test_the_summary_of_an_earlier_session_is_gone_when_the_next_one_starts_its_workers(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(out)
    (out / "summary.json").touch()
    seen: list[bool] = []

    def killed(pool: WorkerPool) -> None:
        seen.append((out / "summary.json").exists())
        raise KeyboardInterrupt  # as little is tidied up as by a kill

    monkeypatch.setattr(WorkerPool, "start", killed)
    with pytest.raises(KeyboardInterrupt):
        start(out, resume=True)
    assert (seen, (out / "summary.json").exists()) == ([False], False)


def test_the_summary_of_an_earlier_session_stays_when_none_follows(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(out)
    (out / "summary.json").touch()
    monkeypatch.setattr(bus_server, "Hub", failing(NO_FILES))
    with pytest.raises(UserError):
        start(out, resume=True)
    assert (out / "summary.json").exists()


def test_results_of_another_run_stay_when_the_start_is_refused(out: Path) -> None:
    (out / "results").mkdir(parents=True)
    (out / "results" / "a.txt").touch()
    with pytest.raises(UserError, match="already holds results"):
        start(out)
    assert sorted(path.name for path in out.rglob("*")) == ["a.txt", "results"]


def begun(out: Path) -> Path:
    """The capture of a run of one file that was interrupted."""
    script = Script()
    script.say("coordinator", RunStarted(JOB, "off", tuple(cpus(1)), 1, settings_of(JOB, {})))
    script.say("coordinator", FilesAssigned("cpu:0", (PlannedFile("a.fa", 1, 1),)))
    out.mkdir()
    write_capture(out / "run.vbus", script.frames())
    return out / "run.vbus"


@pytest.mark.parametrize(("owner", "name"), [(bus_server, "Hub"), (WorkerPool, "start")], ids=["hub", "worker"])
def test_a_resumed_run_that_cannot_start_keeps_its_capture(
    out: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    capture = begun(out)
    before = capture.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failing(NO_FILES))
        with pytest.raises(UserError):
            start(out, resume=True)
    assert capture.read_bytes().startswith(before)


# What a start that was killed has left.


@pytest.mark.parametrize("size_bytes", [0, 7, 16, 30])
def test_a_capture_that_was_cut_off_before_its_first_event_is_not_a_run(tmp_path: Path, size_bytes: int) -> None:
    write_capture(tmp_path / "run.vbus", some_frames(1))
    os.truncate(tmp_path / "run.vbus", size_bytes)
    assert not holds_run(tmp_path / "run.vbus")


def test_a_capture_without_an_assignment_is_not_a_run(tmp_path: Path) -> None:
    script = Script()
    script.say("coordinator", Notice("a disk is slow"))
    script.say("coordinator", RunStarted(JOB, "off", tuple(cpus(1)), 1))
    write_capture(tmp_path / "run.vbus", script.frames())
    assert not holds_run(tmp_path / "run.vbus")


def test_a_capture_with_an_assignment_is_a_run(out: Path) -> None:
    assert holds_run(begun(out))


def test_a_capture_of_other_programs_events_is_a_run_and_so_is_a_damaged_one(tmp_path: Path) -> None:
    capture = tmp_path / "run.vbus"
    write_capture(capture, some_frames(2))
    assert holds_run(capture)
    data = bytearray(capture.read_bytes())
    data[40] ^= 1
    data[-1] ^= 1
    capture.write_bytes(data)
    assert holds_run(capture)
