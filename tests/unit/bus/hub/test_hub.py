"""The hub on real sockets: what it lets through, keeps out, records and answers."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import msgpack
import msgspec
import pytest
import zmq

from tests.support.buses import addresses_in, hub_in, peer, served_hub, turn_until, wait_until
from tests.support.captures import read_all, some_frames
from virnucpro_bus import events as ev
from virnucpro_bus.capture.records import RecordScanner
from virnucpro_bus.events.codec import MAX_FRAME_BYTES, decode
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.history.protocol import WELCOME, HelloReply
from virnucpro_bus.hub import hub as hub_module
from virnucpro_bus.hub.hub import FRAMES_PER_POLL, Hub
from virnucpro_bus.publish.publisher import Publisher

PIECE_BYTES = 1 << 20


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with hub_in(tmp_path) as made:
        yield made


def subscribed(hub: Hub, subscriber: zmq.Socket[bytes]) -> None:
    """Turn the hub until `subscriber` hears it."""
    turn_until(hub, lambda: subscriber.poll(0))
    assert subscriber.recv() == WELCOME
    turn_until(hub, lambda: True)


def events_in(folder: Path) -> list[Envelope]:
    envelopes = [decode(record.frame) for record in read_all(folder / "run.vbus")]
    return [envelope for envelope in envelopes if isinstance(envelope, Envelope)]


def asked(hub: Hub, *question: bytes) -> list[bytes]:
    """What the hub answers to one question on its history socket."""
    with peer(zmq.DEALER, hub.addresses.history) as asker:
        asker.send_multipart([b"id", *question])
        turn_until(hub, lambda: asker.poll(0))
        answer = asker.recv_multipart()
    assert answer[0] == b"id"
    return answer[1:]


# Through.


def test_a_subscriber_hears_the_welcome_and_then_every_event_as_it_was_sent(hub: Hub) -> None:
    frames = some_frames(3 * FRAMES_PER_POLL // 2)
    with peer(zmq.XPUB, hub.addresses.publish) as sender, peer(zmq.SUB, hub.addresses.subscribe) as subscriber:
        subscribed(hub, subscriber)
        turn_until(hub, lambda: sender.poll(0))
        for frame in frames:
            sender.send(frame)
        turn_until(hub, lambda: hub.accepted == len(frames))
        assert [subscriber.recv() for _ in frames] == frames


def test_a_publisher_and_the_hub_understand_each_other(tmp_path: Path) -> None:
    with served_hub(tmp_path) as hub:
        with Publisher(hub.addresses.publish, device=Device("cpu:0"), heartbeat_seconds=None) as bus:
            bus.file_started("a.fa")
        wait_until(lambda: hub.accepted == 4)
    kinds = [type(envelope.event) for envelope in events_in(tmp_path)]
    assert kinds == [ev.WorkerStarted, ev.FileStarted, ev.Heartbeat, ev.WorkerStopped]


def test_every_poll_leaves_what_it_ingested_in_the_capture(hub: Hub) -> None:
    frames = some_frames(10)
    hub.ingest(frames)
    hub.poll()
    assert [record.frame for record in read_all(hub.capture.path)] == frames


def test_a_poll_that_is_passed_which_sockets_are_ready_reads_those_alone(hub: Hub) -> None:
    receiver, *others = hub.sockets()
    with peer(zmq.XPUB, hub.addresses.publish) as sender:
        turn_until(hub, lambda: sender.poll(0))
        sender.send(some_frames(1)[0])
        assert receiver.poll(5_000)
        assert hub.poll(others) == 0
        assert hub.poll([receiver]) == 1


def test_what_has_arrived_when_the_hub_closes_is_recorded(tmp_path: Path) -> None:
    frames = some_frames(1)
    with peer(zmq.XPUB, addresses_in(tmp_path).publish) as sender, hub_in(tmp_path) as hub:
        turn_until(hub, lambda: sender.poll(0))
        sender.send(frames[0])
        assert hub.sockets()[0].poll(5_000)
    assert [record.frame for record in read_all(tmp_path / "run.vbus")] == frames


def test_a_publisher_that_never_pauses_does_not_keep_the_hub_from_closing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "FRAMES_PER_POLL", 1)
    frames, closed = some_frames(100), threading.Event()
    with peer(zmq.XPUB, addresses_in(tmp_path).publish) as sender:

        def flood() -> None:
            while not closed.is_set():
                for frame in frames:
                    sender.send(frame)

        flooding = threading.Thread(target=flood)
        try:
            with hub_in(tmp_path) as hub:
                turn_until(hub, lambda: sender.poll(0))
                flooding.start()
                turn_until(hub, lambda: hub.accepted)
        finally:
            closed.set()
            flooding.join()
    assert 0 < hub.accepted <= len(frames)


def test_a_subscriber_that_does_not_read_delays_nothing(hub: Hub) -> None:
    with peer(zmq.SUB, hub.addresses.subscribe) as deaf:
        subscribed(hub, deaf)
        frames = some_frames(150_000)
        hub.ingest(frames)
        assert hub.accepted == len(frames)


def test_its_sockets_are_for_their_owner_alone(hub: Hub, tmp_path: Path) -> None:
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("publish", "subscribe", "history")}
    assert [mode & 0o077 for mode in modes] == [0]


# Kept out.


def test_an_event_that_comes_twice_is_recorded_and_forwarded_once(hub: Hub) -> None:
    frames = some_frames(6)
    with peer(zmq.SUB, hub.addresses.subscribe) as subscriber:
        subscribed(hub, subscriber)
        hub.ingest([frames[4], frames[0], frames[4], frames[1]])
        hub.ingest([*frames, frames[0]])
        heard = [subscriber.recv() for _ in frames]
        assert subscriber.poll(20) == 0
    assert heard == [frames[at] for at in (4, 0, 1, 2, 3, 5)]
    hub.poll()
    assert [record.frame for record in read_all(hub.capture.path)] == heard
    assert hub.accepted == 6


def test_an_event_that_was_handed_over_decoded_is_recorded_once_however_it_comes_again(hub: Hub) -> None:
    frames = some_frames(3)
    hub.ingest(frames[:1])
    hub.record(frames, [decode(frame) for frame in frames])
    hub.record(frames)
    hub.poll()
    assert [record.frame for record in read_all(hub.capture.path)] == frames
    assert hub.accepted == 3


def test_a_kind_of_a_newer_version_is_let_through(hub: Hub) -> None:
    frame = msgpack.packb(["new.kind/", 2, "r", "node", "w", 1, 1, 1, 1, ["x"]])
    hub.ingest([frame, frame])
    assert (hub.accepted, hub.refused.total()) == (1, 0)


HOSTILE = {
    "not-messagepack": b"\xc1",
    "not-an-event": msgpack.packb({"a": 1}),
    "bad-header": msgpack.packb(["k/", 1, "r", "h", "s", 1, -5, 1, 1, []]),
    "bad-fields": msgpack.packb(["queue.depths/", 1, "r", "h", "s", 1, 1, 1, 1, [{"a": -1}]]),
    "oversized": b"x" * (MAX_FRAME_BYTES + 1),
}


@pytest.mark.parametrize(("reason", "frame"), HOSTILE.items(), ids=HOSTILE)
def test_a_hostile_frame_is_refused_by_reason_and_leaves_no_trace(hub: Hub, reason: str, frame: bytes) -> None:
    good = some_frames(2)
    hub.ingest([good[0], frame, good[1]])
    hub.poll()
    assert hub.refused == {reason: 1}
    assert [record.frame for record in read_all(hub.capture.path)] == good


def test_hostile_frames_on_the_wire_delay_nothing(hub: Hub) -> None:
    with peer(zmq.XPUB, hub.addresses.publish) as bad, peer(zmq.XPUB, hub.addresses.publish) as good:
        turn_until(hub, lambda: bad.poll(0) and good.poll(0))
        for frame in (b"", b"\xc1" * 100, HOSTILE["bad-fields"], HOSTILE["oversized"]):
            bad.send(frame)
        good.send(some_frames(1)[0])
        turn_until(hub, lambda: hub.accepted == 1 and hub.refused.total() >= 3)
    assert hub.refused["bad-fields"] == 1


def test_what_a_subscriber_sends_goes_nowhere(hub: Hub) -> None:
    with peer(zmq.XSUB, hub.addresses.subscribe) as talker, peer(zmq.SUB, hub.addresses.subscribe) as subscriber:
        subscribed(hub, subscriber)
        talker.send(some_frames(1)[0])
        for _ in range(20):
            hub.poll()
            subscriber.poll(1)
        assert subscriber.poll(0) == 0
    assert hub.accepted == 0


# History.


def test_hello_is_answered_with_run_host_and_address(hub: Hub) -> None:
    (reply,) = asked(hub, b"hello")
    hello = msgspec.msgpack.decode(reply, type=HelloReply)
    assert hello == HelloReply("run-1", "node", hub.addresses.subscribe, 0, hello.now_ns)
    assert 0 < hello.now_ns <= hub.capture.now_ns


def test_it_promises_no_more_events_than_it_has_on_record(hub: Hub) -> None:
    hub.ingest(some_frames(5))
    hub.capture.unrecorded_frames = 2  # as after a disk that was full for a while
    (reply,) = asked(hub, b"hello")
    assert msgspec.msgpack.decode(reply, type=HelloReply).events == 3


def test_history_is_the_capture_piece_by_piece(hub: Hub) -> None:
    frames = some_frames(20_000)
    hub.ingest(frames)
    scanner, offset, size, read = RecordScanner(), 0, 1, list[bytes]()
    while offset < size:
        told_offset, told_size, data = asked(hub, b"read", str(offset).encode())
        assert (int(told_offset), len(data) <= PIECE_BYTES) == (offset, True)
        read += [record.frame for record in scanner.feed(data)]
        offset, size = offset + len(data), int(told_size)
    assert read == frames
    assert size == os.path.getsize(hub.capture.path) > PIECE_BYTES


def test_beyond_its_end_history_is_empty(hub: Hub) -> None:
    offset, size, data = asked(hub, b"read", b"999999999999999999")
    assert (offset, int(size), data) == (b"999999999999999999", hub.capture.size_bytes, b"")


@pytest.mark.parametrize(
    "question",
    [
        [],
        [b"hello"],
        [b"id", b"goodbye"],
        [b"id", b"hello", b"again"],
        [b"id", b"read"],
        [b"id", b"read", b"-1"],
        [b"id", b"read", b"1.5"],
        [b"id", b"read", b"\xb2"],
        [b"id", b"read", b"9" * 19],
        [b"id", b"read", b"1", b"2"],
    ],
    ids=repr,
)
def test_a_bad_question_is_counted_and_not_answered(hub: Hub, question: list[bytes]) -> None:
    with peer(zmq.DEALER, hub.addresses.history) as asker:
        asker.send_multipart(question or [b""])
        turn_until(hub, lambda: hub.refused["bad-history-request"])
        asker.send_multipart([b"id", b"hello"])
        turn_until(hub, lambda: asker.poll(0))
        assert asker.recv_multipart()[0] == b"id"
        assert asker.poll(0) == 0


def test_when_recording_has_stopped_events_still_reach_subscribers(hub: Hub) -> None:
    hub.capture.problem = "run.vbus: recording has stopped: No space left on device"
    with peer(zmq.SUB, hub.addresses.subscribe) as subscriber:
        subscribed(hub, subscriber)
        hub.ingest(some_frames(1))
        hub.poll()
        assert subscriber.recv() == some_frames(1)[0]
