"""Buses that are followed: their keys, their title, and bugs that must not be hidden."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import click
import pytest

from monitor import attach
from monitor.attach import TITLE_CHARACTERS, FollowedBus, FollowedBuses
from monitor.cli.monitor import with_server_keys
from tests.support.buses import hub_in, turned_by_a_thread
from tests.support.captures import some_frames, write_capture
from virnucpro_bus.clock import NANOSECONDS, ManualClock, SystemClock
from virnucpro_bus.errors import AddressError, EndedError, NoAnswerError, UserError
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.events.run_events import RunStarted
from virnucpro_bus.events.vocabulary import Device, Heartbeat, WorkerStarted
from virnucpro_bus.hub.bus_server import BusServer
from virnucpro_bus.run_folder import RunFolder

A, B = bytes(32), bytes(range(32))
FIRST, SECOND = "tcp://first:1", "tcp://second:2"


@pytest.mark.parametrize(
    ("targets", "keys", "expected"),
    [
        ([FIRST, SECOND], [], [None, None]),
        ([FIRST, SECOND], [A], [A, A]),
        ([FIRST, SECOND], [A, B], [A, B]),
        (["run", FIRST, "ipc://x", SECOND], [A, B], [None, A, None, B]),
        (["run", FIRST], [A], [None, A]),
        (["."], [], [None]),
    ],
)
def test_server_keys_are_assigned_to_tcp_addresses_in_order(
    targets: list[str], keys: list[bytes], expected: list[bytes | None]
) -> None:
    assert with_server_keys(targets, keys) == list(zip(targets, expected, strict=True))


@pytest.mark.parametrize(
    ("targets", "keys"),
    [
        (["run"], [A]),
        ([FIRST], [A, B]),
        ([FIRST, SECOND, "tcp://third:3"], [A, B]),
        ([FIRST, FIRST], []),
        (["."] * 2, []),
    ],
)
def test_keys_and_targets_that_do_not_fit_together_are_refused(targets: list[str], keys: list[bytes]) -> None:
    with pytest.raises(click.UsageError):
        with_server_keys(targets, keys)


def test_one_folder_by_two_names_is_one_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(click.UsageError, match="is given twice"):
        with_server_keys([str(tmp_path), str(tmp_path / "link")], [])


def title(*targets: str) -> str:
    clock = ManualClock()
    return FollowedBuses([FollowedBus(target, clock) for target in targets], clock).title


def test_the_title_names_as_many_buses_as_fit() -> None:
    assert title("one") == "one"
    assert title("one", "two", "three") == "one, two, three"
    addresses = [f"tcp://node-{number}.cluster:5599" for number in range(8)]
    assert title(*addresses) == f"{', '.join(addresses[:2])} and 6 more"
    assert title("x" * TITLE_CHARACTERS, "two") == f"{'x' * TITLE_CHARACTERS} and 1 more"


def test_the_title_notes_that_a_run_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_capture(tmp_path / name / "run.vbus", some_frames(3))
    clock = SystemClock()
    with FollowedBuses([FollowedBus(name, clock) for name in ("one", "two")], clock) as buses:
        assert buses.title == "one (interrupted), two (interrupted)"
        assert not buses.live
        assert buses.bus_errors() == []
        assert buses.fleets.get_totals()["events_received"] == 6


def test_the_title_and_a_line_show_whether_a_hub_without_a_run_has_ended_or_was_killed(tmp_path: Path) -> None:
    with BusServer(tmp_path / "bus", SystemClock()) as server:
        server.hub.ingest(some_frames(3))
        server.hub.poll()
        shutil.copytree(tmp_path / "bus", tmp_path / "killed", ignore=shutil.ignore_patterns(".bus"))
        server.hub.finish()
    clock = SystemClock()
    buses = [FollowedBus(str(tmp_path / name), clock) for name in ("bus", "killed")]
    with FollowedBuses(buses, clock) as followed:
        assert [bus.name.rpartition(" ")[2] for bus in buses] == ["(ended)", "(interrupted)"]
        (line,) = followed.bus_errors()
    assert line.endswith("killed: the run was interrupted; continue it with hub --resume")


def test_a_run_that_is_about_to_be_resumed_is_not_called_interrupted(tmp_path: Path) -> None:
    write_capture(tmp_path / "run.vbus", some_frames(3))
    folder, clock = RunFolder(tmp_path).claim(), SystemClock()
    with FollowedBuses([FollowedBus(str(tmp_path), clock)], clock) as buses:
        assert buses.title.endswith("(starting)")
        assert buses.bus_errors() == []
    folder.release()


def test_a_run_that_was_read_to_its_end_is_not_live_though_its_thread_still_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_capture(tmp_path / "run.vbus", some_frames(3))
    checked, run = threading.Event(), threading.Thread.run

    def run_and_stay(thread: threading.Thread) -> None:
        run(thread)
        checked.wait()

    monkeypatch.setattr(threading.Thread, "run", run_and_stay)
    bus = FollowedBus(str(tmp_path), SystemClock())
    assert not bus.live
    bus.start()
    bus.catch_up()
    assert not bus.live
    checked.set()


def test_an_ended_run_is_refused_where_a_live_one_is_required(tmp_path: Path) -> None:
    write_capture(tmp_path / "run.vbus", some_frames(3))
    clock = SystemClock()
    with pytest.raises(AddressError, match="no run is live here"):
        FollowedBuses([FollowedBus(str(tmp_path), clock, accept_ended=False)], clock).__enter__()


def test_a_file_that_is_not_a_capture_is_a_user_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "run.vbus").write_bytes(b"something else entirely")
    clock = SystemClock()
    with pytest.raises(UserError, match=r"run\.vbus"):
        FollowedBuses([FollowedBus(str(tmp_path), clock)], clock).__enter__()


def test_a_bug_is_raised_even_while_other_buses_could_be_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_capture(tmp_path / "run.vbus", some_frames(3))

    def failing(target: str, *_: object) -> None:
        if target == "broken":
            raise RuntimeError("a fault")
        raise AddressError("no run is live here")

    monkeypatch.setattr(attach, "join", failing)
    clock = SystemClock()
    with pytest.raises(RuntimeError, match="a fault"):
        FollowedBuses([FollowedBus(target, clock) for target in (str(tmp_path), "broken")], clock).__enter__()


def test_an_address_where_nothing_answers_is_waited_for_and_one_that_refuses_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: list[UserError] = [NoAnswerError(f"{FIRST}: nothing listens there")] * 2
    answers.append(AddressError(f"{FIRST}: not on the list"))
    told: list[str] = []

    def answering(*_: object) -> NoReturn:
        raise answers.pop(0)

    monkeypatch.setattr(attach, "join", answering)
    monkeypatch.setattr(attach, "RETRY_SECONDS", 0.0)
    clock = SystemClock()
    with pytest.raises(AddressError, match="not on the list"):
        FollowedBuses([FollowedBus(FIRST, clock, on_wait=told.append)], clock).__enter__()
    assert (told, answers) == ([f"{FIRST}: nothing listens there; waiting for a run to begin"], [])


def test_a_run_whose_hub_is_killed_while_it_is_followed_is_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> NoReturn:
        raise EndedError("the hub of this run is no longer alive")

    monkeypatch.setattr(attach, "follow_live", killed)
    sequencer = Sequencer(SystemClock(), source="coordinator", run="run-1", host="node")
    started = sequencer.next_envelope(RunStarted("job", "off", (Device("cpu:0"),), 2))
    with hub_in(tmp_path) as hub:
        hub.ingest([encode(started)])
        bus = FollowedBus(hub.addresses.history, SystemClock())
        with turned_by_a_thread(hub):
            bus.start()
            bus.wait(5)
    assert isinstance(bus.failure, EndedError)
    assert bus.fleet.is_broken_off


def test_a_run_that_ends_while_its_history_is_read_is_read_from_its_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_capture(tmp_path / "run.vbus", some_frames(3))
    closed = threading.Event()

    def gone(*_: object) -> NoReturn:
        raise EndedError("the hub of this run is no longer alive")

    monkeypatch.setattr(attach, "join", lambda *_: SimpleNamespace(close=closed.set))
    monkeypatch.setattr(attach, "catch_up", gone)
    clock = SystemClock()
    with FollowedBuses([FollowedBus(str(tmp_path), clock)], clock) as buses:
        assert buses.fleets.get_totals()["events_received"] == 3
    assert closed.is_set()


def test_a_worker_that_has_been_silent_is_shown_so_whatever_host_its_run_names(tmp_path: Path) -> None:
    minute_ago = ManualClock(mono=SystemClock().mono_ns() - 60 * NANOSECONDS)
    sequencer = Sequencer(minute_ago, source="worker-0", run="run-1", host="as-it-was-called")
    events = (WorkerStarted(Device("cpu:0"), 1), Heartbeat("cpu:0", "idle", 0, 0, 0, 0, 0))
    with hub_in(tmp_path, host="as-it-was-called") as hub:
        hub.ingest([encode(sequencer.next_envelope(event)) for event in events])
        bus = FollowedBus(hub.addresses.history, SystemClock())
        with turned_by_a_thread(hub):
            bus.start()
            bus.catch_up()
            (row,) = bus.fleet.get_gpu_metrics()
            bus.stop()
            bus.wait(5)
    assert row["state"] == "silent"
