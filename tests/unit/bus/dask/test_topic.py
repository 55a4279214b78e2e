"""Frames on a topic of a Dask scheduler, with a worker and a client that only note what they are asked to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.fake_dask import FakeClient, FakeWorker

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

from virnucpro_bus import events as ev
from virnucpro_bus.dask import topic
from virnucpro_bus.dask.topic import Subscription, TopicOutbox, topic_of
from virnucpro_bus.events.codec import decode
from virnucpro_bus.publish.publisher import Publisher

TOPIC = topic_of("run-1")


def test_frames_published_within_a_moment_travel_in_one_message() -> None:
    worker = FakeWorker()
    outbox = TopicOutbox(worker, TOPIC)
    for frame in (b"1", b"2", b"3"):
        outbox.send(frame)
    assert worker.messages == []
    worker.loop.run()
    assert worker.messages == [(TOPIC, [b"1", b"2", b"3"])]
    outbox.send(b"4")
    worker.loop.run()
    assert worker.messages[1:] == [(TOPIC, [b"4"])]


def test_a_flood_of_frames_is_split_into_messages_of_a_limited_size() -> None:
    worker = FakeWorker()
    outbox = TopicOutbox(worker, TOPIC)
    frames = [bytes([number]) for number in range(2 * topic.FRAMES_AT_ONCE + 1)]
    for frame in frames:
        outbox.send(frame)
    worker.loop.run()
    sent = [message for _, message in worker.messages]
    assert [len(message) for message in sent] == [topic.FRAMES_AT_ONCE, topic.FRAMES_AT_ONCE, 1]
    assert [frame for message in sent for frame in message] == frames


def test_closing_sends_at_once_what_waits() -> None:
    worker = FakeWorker()
    outbox = TopicOutbox(worker, TOPIC)
    outbox.send(b"last")
    outbox.close()
    assert worker.messages == [(TOPIC, [b"last"])]


def test_what_cannot_wait_or_be_sent_is_dropped_and_counted_and_raises_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(topic, "WAITING_FRAMES", 2)
    worker = FakeWorker(error=OSError("the scheduler has gone"))
    outbox = TopicOutbox(worker, TOPIC)
    for frame in (b"1", b"2", b"3"):
        outbox.send(frame)
    assert outbox.dropped == 1
    outbox.close()
    assert outbox.dropped == 3


def test_a_publisher_sends_its_whole_stream_through_an_outbox_that_it_is_passed() -> None:
    worker = FakeWorker()
    bus = Publisher(
        outbox=TopicOutbox(worker, TOPIC), device=ev.Device("cpu:0"), run="run-1", heartbeat_seconds=None
    )
    bus.file_started("a.fa")
    bus.close()
    worker.loop.run()
    envelopes = [decode(frame) for _, message in worker.messages for frame in message]
    assert [envelope.seq for envelope in envelopes] == [1, 2, 3, 4]
    assert [type(envelope.event) for envelope in envelopes] == [
        ev.WorkerStarted,
        ev.FileStarted,
        ev.Heartbeat,
        ev.WorkerStopped,
    ]


@pytest.mark.parametrize("sequence", [list, tuple])
def test_a_subscription_passes_on_each_frame_of_a_message_in_order(sequence: Callable[..., Any]) -> None:
    client, received = FakeClient(), list[bytes]()
    subscription = Subscription(client, TOPIC, received.append)
    client.receive(TOPIC, sequence([b"1", b"2"]))
    assert received == [b"1", b"2"]
    assert subscription.refused == 0


@pytest.mark.parametrize("message", [b"frame", "text", None, {"a": 1}, 7, ["text"], [None], [[b"1"]]])
def test_what_is_not_a_frame_is_refused_and_counted(message: object) -> None:
    client, received = FakeClient(), list[bytes]()
    subscription = Subscription(client, TOPIC, received.append)
    client.receive(TOPIC, message)
    assert (received, subscription.refused) == ([], 1)


def test_nothing_arrives_after_a_subscription_was_closed_whatever_has_become_of_the_client() -> None:
    client, received = FakeClient(), list[bytes]()
    subscription = Subscription(client, TOPIC, received.append)
    client.is_closed = True
    subscription.close()
    subscription.close()
    client.receive(TOPIC, [b"late"])
    assert received == []
