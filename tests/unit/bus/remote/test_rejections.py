"""Which connections are reported as refused when connections open and close."""

from __future__ import annotations

import pytest
import zmq

from virnucpro_bus.remote.rejections import BROKE_OFF, NO_HANDSHAKE, NOT_OURS, HandshakeTracker


def reported(*events: tuple[int, int]) -> list[str]:
    """Return the messages of a tracker that observes these events."""
    tracker = HandshakeTracker()
    return [message for event in events if (message := tracker.observe(*event)) is not None]


ACCEPTED, GONE = zmq.EVENT_ACCEPTED, zmq.EVENT_DISCONNECTED


def test_a_viewer_that_connects_and_disconnects_is_not_reported() -> None:
    assert reported((ACCEPTED, 7), (zmq.EVENT_HANDSHAKE_SUCCEEDED, 0), (GONE, 7)) == []


def test_a_connection_that_ends_without_a_handshake_does_not_speak_our_protocol() -> None:
    assert reported((ACCEPTED, 7), (GONE, 7)) == [NOT_OURS]


@pytest.mark.parametrize(
    ("event", "messages"),
    [
        (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, [BROKE_OFF]),
        (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, [NO_HANDSHAKE]),
        (zmq.EVENT_HANDSHAKE_FAILED_AUTH, []),
    ],
)
def test_a_handshake_that_fails_is_reported_once(event: int, messages: list[str]) -> None:
    assert reported((ACCEPTED, 7), (event, 400), (GONE, 7)) == messages


def test_a_missing_key_is_reported_as_such_also_where_we_notice_it_first() -> None:
    failed = (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, int(zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH))
    assert reported((ACCEPTED, 7), failed, (GONE, 7)) == [NO_HANDSHAKE]


def test_a_stranger_beside_a_viewer_is_reported() -> None:
    assert reported((ACCEPTED, 7), (zmq.EVENT_HANDSHAKE_SUCCEEDED, 0), (ACCEPTED, 8), (GONE, 8)) == [NOT_OURS]


def test_a_descriptor_that_is_used_again_is_a_new_connection() -> None:
    assert reported((ACCEPTED, 7), (zmq.EVENT_HANDSHAKE_SUCCEEDED, 0), (GONE, 7), (ACCEPTED, 7), (GONE, 7)) == [
        NOT_OURS
    ]
