"""Following a run by its capture alone, where its sockets cannot be reached."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.support.captures import some_frames
from virnucpro_bus import run_lock
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import AddressError, EndedError
from virnucpro_bus.run_folder import BusAddresses, RunFolder
from virnucpro_bus.sources import live
from virnucpro_bus.sources.capture_tail import CaptureTail
from virnucpro_bus.sources.live import join

UNREACHABLE = BusAddresses("run-1", "node1", 4321, "ipc:///nowhere/p", "ipc:///nowhere/s", "ipc:///nowhere/h")


def announce(run_dir: Path) -> None:
    (run_dir / "bus.json").write_bytes(msgspec.json.encode(UNREACHABLE))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_it_returns_what_is_recorded_and_then_what_is_added(tmp_path: Path, clock: ManualClock) -> None:
    frames = some_frames(6)
    announce(tmp_path)
    with CaptureWriter(tmp_path / "run.vbus", clock) as capture:
        capture.append(frames[:4])
        capture.flush()
        with closing(CaptureTail(tmp_path, clock, "why")) as tail:
            assert tail.receive(0.0) == (frames[:4], [capture.now_ns] * 4)
            assert not tail.behind
            assert tail.receive(0.0) == ([], [])
            clock.advance(5)
            capture.append(frames[4:])
            capture.flush()
            assert tail.receive(0.0) == (frames[4:], [capture.now_ns] * 2)
            assert tail.problem == "why; its capture is read instead"


def test_a_run_that_shows_life_is_alive_and_one_that_does_not_is_given_up(
    tmp_path: Path, clock: ManualClock
) -> None:
    announce(tmp_path)
    capture = tmp_path / "run.vbus"
    capture.touch()
    with closing(CaptureTail(tmp_path, clock, "why")) as tail:
        for _ in range(3):
            clock.advance(20)
            capture.write_bytes(capture.read_bytes() + b"x")
            tail.prove_alive()
        clock.advance(31)
        with pytest.raises(AddressError, match="no sign of life for 30 s"):
            tail.prove_alive()


def test_a_run_that_has_ended_is_not_waited_for(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "run.vbus").touch()
    with closing(CaptureTail(tmp_path, clock, "why")) as tail, pytest.raises(EndedError):
        tail.prove_alive()


def test_a_capture_that_cannot_be_read_is_an_error_in_one_line(tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(AddressError, match=r"run\.vbus: cannot be read: No such file"):
        CaptureTail(tmp_path, clock, "why")
    os.mkfifo(tmp_path / "run.vbus")
    with (
        closing(CaptureTail(tmp_path, clock, "why")) as tail,
        pytest.raises(AddressError, match=r"run\.vbus: cannot be read: Illegal seek"),
    ):
        tail.receive(0.0)


# Which way a run is joined.


def test_a_run_whose_lock_is_held_but_whose_sockets_are_not_there_is_followed_by_its_capture(
    tmp_path: Path, clock: ManualClock
) -> None:
    (tmp_path / "run.vbus").touch()
    folder = RunFolder(tmp_path).claim()
    announce(tmp_path)
    with closing(join(str(tmp_path), clock)) as source:
        assert isinstance(source, CaptureTail)
        assert "the run on node1 (pid 4321) cannot be reached from here" in str(source.problem)
    folder.release()


@pytest.mark.parametrize("grows", [True, False])
def test_a_run_of_another_machine_is_live_if_its_capture_grows(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, grows: bool
) -> None:
    announce(tmp_path)
    capture = tmp_path / "run.vbus"
    capture.touch()

    def wait(seconds: float) -> None:
        if grows:
            capture.write_bytes(b"more")

    monkeypatch.setattr(live, "shows_life", lambda run_dir: run_lock.shows_life(run_dir, wait))
    if grows:
        with closing(join(str(tmp_path), clock)) as source:
            assert isinstance(source, CaptureTail)
    else:
        with pytest.raises(EndedError, match="shows no sign of life"):
            join(str(tmp_path), clock)


def test_a_run_whose_addresses_are_another_users_is_followed_by_its_capture(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Like a file that may not be read, since root may read every file.
    (tmp_path / "bus.json").mkdir()
    (tmp_path / "run.vbus").touch()
    monkeypatch.setattr(live, "shows_life", lambda run_dir: True)
    with closing(join(str(tmp_path), clock)) as source:
        assert isinstance(source, CaptureTail)
        assert "bus.json: cannot be read" in str(source.problem)
        source.prove_alive()
