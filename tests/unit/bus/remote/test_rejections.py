"""Who is complained of when connections come and go."""

from __future__ import annotations

import pytest
import zmq

from virnucpro_bus.remote.rejections import BROKE_OFF, NO_HANDSHAKE, NOT_OURS, HandshakeTracker


def told(*events: tuple[int, int]) -> list[str]:
    strangers = HandshakeTracker()
    return [complaint for event in events if (complaint := strangers.observe(*event)) is not None]


ACCEPTED, GONE = zmq.EVENT_ACCEPTED, zmq.EVENT_DISCONNECTED


def test_a_viewer_that_comes_and_goes_is_not_complained_of() -> None:
    assert told((ACCEPTED, 7), (zmq.EVENT_HANDSHAKE_SUCCEEDED, 0), (GONE, 7)) == []


def test_a_connection_that_goes_without_a_handshake_is_none_of_ours() -> None:
    assert told((ACCEPTED, 7), (GONE, 7)) == [NOT_OURS]


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, [BROKE_OFF]),
        (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, [NO_HANDSHAKE]),
        (zmq.EVENT_HANDSHAKE_FAILED_AUTH, []),
    ],
)
def test_a_handshake_that_fails_is_told_once(event: int, complaint: list[str]) -> None:
    assert told((ACCEPTED, 7), (event, 400), (GONE, 7)) == complaint


def test_who_comes_without_a_key_is_told_of_as_that_also_where_we_notice_it_first() -> None:
    failed = (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, int(zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH))
    assert told((ACCEPTED, 7), failed, (GONE, 7)) == [NO_HANDSHAKE]


def test_a_stranger_beside_a_viewer_is_complained_of() -> None:
    assert told((ACCEPTED, 7), (zmq.EVENT_HANDSHAKE_SUCCEEDED, 0), (ACCEPTED, 8), (GONE, 8)) == [NOT_OURS]


def test_a_descriptor_that_is_used_again_is_a_new_connection() -> None:
    assert told((ACCEPTED, 7), (zmq.EVENT_HANDSHAKE_SUCCEEDED, 0), (GONE, 7), (ACCEPTED, 7), (GONE, 7)) == [
        NOT_OURS
    ]
