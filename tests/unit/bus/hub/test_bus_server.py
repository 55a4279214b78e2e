"""The bus of a folder in which another was before: continued, or refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.captures import read_all, some_frames
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.envelope import COORDINATOR_SOURCE, Envelope
from virnucpro_bus.events.run_events import Notice, RunStarted
from virnucpro_bus.hub.bus_server import EVENTS_AT_ONCE, BusServer, HubSink
from virnucpro_bus.run_folder import BUS_FILE, CAPTURE_NAME


def killed(folder: Path, *, has_workers: bool = False, host: str = "") -> BusServer:
    """A bus that received three events; `folder` is as it would be had its process been killed then."""
    live = folder.parent / "live"
    server = BusServer(live, SystemClock(), has_workers=has_workers)
    server.host = host or server.host
    with server:
        server.hub.ingest(some_frames(3))
        server.hub.capture.append([b"not an event"])
        server.hub.poll()
        folder.mkdir()
        for name in (BUS_FILE, CAPTURE_NAME):
            shutil.copy(live / name, folder)
    return server


def test_the_capture_of_a_hub_that_was_killed_is_continued(tmp_path: Path) -> None:
    before = killed(tmp_path / "bus", host="as-it-was-called")
    server = BusServer(tmp_path / "bus", SystemClock())
    assert server.resume_hub()
    with server:
        assert (server.run, server.host) == (before.run, "as-it-was-called")
        assert server.hub.ingest(some_frames(5)) == 2
        assert not server.hub.refused
    frames = [record.frame for record in read_all(tmp_path / "bus" / CAPTURE_NAME)]
    resumed = decode(frames.pop(4))
    assert isinstance(resumed.event, Notice)
    assert frames == [*some_frames(3), b"not an event", *some_frames(5)[3:]]


def test_a_run_that_was_killed_is_left_to_its_launcher(tmp_path: Path) -> None:
    killed(tmp_path / "bus", has_workers=True)
    server = BusServer(tmp_path / "bus", SystemClock())
    assert not server.resume_hub()
    with pytest.raises(UserError, match="already holds a run"):
        server.open()
    with pytest.raises(UserError, match="run --resume` continues"):
        server.resume_hub(ended=True)


def test_a_hub_that_has_ended_in_order_is_continued_only_on_request(tmp_path: Path) -> None:
    before = BusServer(tmp_path / "bus", SystemClock())
    before.host = "as-it-was-called"
    with before:
        before.hub.finish()
    server = BusServer(tmp_path / "bus", SystemClock())
    assert not server.resume_hub()
    with pytest.raises(UserError, match=r"already holds a run.*; choose another folder, or add --resume"):
        server.open()
    past = server.resume_hub(ended=True)
    assert past is not None
    assert not past.was_killed
    with server:
        assert (server.run, server.host) == (before.run, "as-it-was-called")


def test_a_launched_run_that_has_ended_is_not_continued_by_a_hub(tmp_path: Path) -> None:
    with BusServer(tmp_path / "bus", SystemClock(), has_workers=True) as launched:
        HubSink(launched, SystemClock()).publish(RunStarted("job", "cost", (), 1, settings="a digest"))
    server = BusServer(tmp_path / "bus", SystemClock())
    with pytest.raises(UserError, match="run --resume` continues"):
        server.resume_hub(ended=True)
    assert not server.resume_hub()


def test_a_folder_without_a_run_has_nothing_to_continue(tmp_path: Path) -> None:
    server = BusServer(tmp_path / "bus", SystemClock())
    assert server.resume_hub(ended=True) is None
    with server:
        assert server.hub.accepted == 0


def test_a_start_that_failed_is_not_in_the_way_of_the_next(tmp_path: Path) -> None:
    before = killed(tmp_path / "bus")
    capture, aside = tmp_path / "bus" / CAPTURE_NAME, tmp_path / "aside"
    capture.rename(aside)
    capture.mkdir()
    server = BusServer(tmp_path / "bus", SystemClock())
    with pytest.raises(UserError, match="cannot be written"):
        server.resume_hub()
    capture.rmdir()
    aside.rename(capture)
    server = BusServer(tmp_path / "bus", SystemClock())
    assert server.resume_hub()
    with server:
        assert server.run == before.run


def test_where_the_capture_was_removed_a_new_one_begins(tmp_path: Path) -> None:
    before = killed(tmp_path / "bus")
    (tmp_path / "bus" / CAPTURE_NAME).unlink()
    server = BusServer(tmp_path / "bus", SystemClock())
    assert not server.resume_hub()
    with server:
        assert server.run != before.run


def test_an_event_of_this_process_that_no_frame_can_hold_is_refused_and_ends_nothing(tmp_path: Path) -> None:
    with BusServer(tmp_path / "bus", SystemClock()) as server:
        sink = HubSink(server, SystemClock())
        sink.publish(Notice("x" * 70_000))
        sink.publish(Notice("x"))
        assert (server.hub.accepted, server.hub.refused) == (1, {"oversized": 1})


def test_events_of_this_process_are_recorded_in_their_order_however_many_come_together(tmp_path: Path) -> None:
    texts = [str(number) for number in range(3 * EVENTS_AT_ONCE + 1)]
    with BusServer(tmp_path / "bus", SystemClock()) as server:
        sink = HubSink(server, SystemClock())
        sink.publish_all(Notice(text) for text in texts[:-1])
        sink.publish(Notice(texts[-1]))
    recorded = [decode(record.frame) for record in read_all(tmp_path / "bus" / CAPTURE_NAME)]
    own = [each for each in recorded if isinstance(each, Envelope) and each.source == COORDINATOR_SOURCE]
    assert [(each.seq, each.event.text) for each in own] == list(enumerate(texts, 1))
