"""Files that are open in a `with` block or a loop: what is reported of them, and when."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.buses import Heard, goodbye, hear, listening
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device, Fact
from virnucpro_bus.publish.own_files import LEFT
from virnucpro_bus.publish.publisher import Publisher

CPU = Device("cpu:0")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Heard]:
    with listening(f"ipc://{tmp_path}/publish") as bound:
        yield bound


@pytest.fixture
def bus(listener: Heard, tmp_path: Path, clock: ManualClock) -> Iterator[Publisher]:
    with Publisher(f"ipc://{tmp_path}/publish", device=CPU, heartbeat_seconds=None, clock=clock) as made:
        yield made


def reported(bus: Publisher, listener: Heard) -> list[Fact]:
    """The events between the first and the last ones of the worker."""
    bus.close()
    return [envelope.event for envelope in hear(listener, goodbye)][1:-2]


def test_a_file_is_started_and_completed_with_the_time_in_between(
    bus: Publisher, listener: Heard, clock: ManualClock
) -> None:
    with bus.file("/data/a.fa", attempt=2) as done:
        clock.advance(2.5)
        done.sequences = 7
    assert reported(bus, listener) == [
        ev.FileStarted("cpu:0", "a.fa", 2),
        ev.FileCompleted("cpu:0", "a.fa", 2, 7, 2.5),
    ]


def test_progress_counts_where_nothing_else_is_set(bus: Publisher, listener: Heard) -> None:
    with bus.file("a.fa") as done:
        done.progress(3, total=9)
        done.progress(9, total=9)
    assert reported(bus, listener)[1:] == [
        ev.FileProgress("cpu:0", "a.fa", 0, 3, 9),
        ev.FileProgress("cpu:0", "a.fa", 0, 9, 9),
        ev.FileCompleted("cpu:0", "a.fa", 0, 9, 0.0),
    ]


@pytest.mark.parametrize("error", [ValueError("not FASTA"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_the_exception_that_ends_a_file_is_why_it_failed_and_goes_on(
    bus: Publisher, listener: Heard, clock: ManualClock, error: BaseException
) -> None:
    def work() -> None:
        with bus.file("a.fa"):
            clock.advance(1)
            raise error

    with pytest.raises(type(error)):
        work()
    reason = f"{type(error).__name__}: {error}".removesuffix(": ")
    assert reported(bus, listener)[1:] == [ev.FileFailed("cpu:0", "a.fa", 0, reason, 1.0)]


def test_each_file_of_a_loop_is_completed_when_the_next_one_is_asked_for(
    bus: Publisher, listener: Heard, clock: ManualClock
) -> None:
    paths = [Path("/data/a.fa"), Path("/data/b.fa")]
    for number, path in enumerate(bus.files(paths)):
        assert path is paths[number]
        clock.advance(number + 1)
        bus.current.sequences = 10 * (number + 1)
    assert reported(bus, listener) == [
        ev.FileStarted("cpu:0", "a.fa"),
        ev.FileCompleted("cpu:0", "a.fa", 0, 10, 1.0),
        ev.FileStarted("cpu:0", "b.fa"),
        ev.FileCompleted("cpu:0", "b.fa", 0, 20, 2.0),
    ]


def leave_by_break(bus: Publisher) -> None:
    for _ in bus.files(["a.fa", "b.fa"]):
        break


def leave_by_return(bus: Publisher) -> str:
    for path in bus.files(["a.fa", "b.fa"]):
        return path
    return ""


def leave_by_an_exception(bus: Publisher) -> None:
    for _ in bus.files(["a.fa", "b.fa"]):
        raise ValueError("bad")


@pytest.mark.parametrize("leave", [leave_by_break, leave_by_return, leave_by_an_exception])
def test_a_file_at_which_its_loop_is_left_is_reported_as_failed_at_once(
    bus: Publisher, listener: Heard, leave: Callable[[Publisher], object]
) -> None:
    with contextlib.suppress(ValueError):
        leave(bus)
    bus.publish(ev.Notice("later"))
    assert reported(bus, listener) == [
        ev.FileStarted("cpu:0", "a.fa"),
        ev.FileFailed("cpu:0", "a.fa", 0, LEFT, 0.0),
        ev.Notice("later"),
    ]


def test_each_thread_has_its_own_current_file(bus: Publisher, listener: Heard) -> None:
    for _ in bus.files(["a.fa"]):
        other = threading.Thread(target=lambda: list(bus.files(["b.fa"])))
        other.start()
        other.join()
        bus.current.sequences = 5
    assert ev.FileCompleted("cpu:0", "a.fa", 0, 5, 0.0) in reported(bus, listener)


def test_outside_of_any_file_the_current_one_takes_anything_and_is_not_reported(
    bus: Publisher, listener: Heard
) -> None:
    bus.current.sequences = 5
    assert reported(bus, listener) == []


def test_what_cannot_be_reported_of_a_file_does_not_end_its_body(
    bus: Publisher, listener: Heard, capsys: pytest.CaptureFixture[str]
) -> None:
    worked = []
    for file in (None, 7, "", os.fsencode("a.fa")):
        with bus.file(file) as done:  # type: ignore[arg-type]
            done.progress(-1, total="many")  # type: ignore[arg-type]
            done.sequences = 1
            worked.append(file)
    assert len(worked) == 4
    assert reported(bus, listener) == [ev.FileStarted("cpu:0", "a.fa"), ev.FileCompleted("cpu:0", "a.fa", 0, 1, 0)]
    assert len(capsys.readouterr().err.splitlines()) == 1
