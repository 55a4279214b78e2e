"""The viewer's end of the history socket: sends requests to a hub or a relay and receives the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import zmq

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.history.protocol import (
    MAX_ANSWER_BYTES,
    Snapshot,
    SnapshotStart,
    parse_snapshot,
    parse_snapshot_piece,
    snapshot_request,
)

ANSWER_SECONDS = 5.0
Request = Callable[..., Callable[[], list[bytes]]]
"""Begins a request, of which it is passed the parts, and returns what waits for the answer."""


class HistoryClient:
    """Sends requests and matches the answers to them by request id. Not thread-safe."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], clock: Clock) -> None:
        self.socket = context.socket(zmq.DEALER)
        """Connect it before the first request."""
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.MAXMSGSIZE, MAX_ANSWER_BYTES)
        self._clock = clock
        self._last_request = 0

    def send(self, *request: bytes) -> bytes:
        """Send a request; returns its id. Raises zmq.Again when there is no connection."""
        self._last_request += 1
        request_id = str(self._last_request).encode()
        self.socket.send_multipart([request_id, *request], zmq.DONTWAIT)
        return request_id

    def poll(self) -> tuple[bytes, list[bytes]] | None:
        """Return the next (request id, answer) without waiting; None when no answer has arrived."""
        try:
            request_id, *answer = self.socket.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return None
        return request_id, answer

    def wait_for(self, request_id: bytes) -> list[bytes]:
        """Wait for the answer to one request and discard the others. Raises AddressError after 5 s."""
        deadline_ns = self._clock.mono_ns() + int(ANSWER_SECONDS * NANOSECONDS)
        while (remaining_ns := deadline_ns - self._clock.mono_ns()) > 0:
            self.socket.poll(remaining_ns // 1_000_000 + 1)
            received = self.poll()
            if received is not None and received[0] == request_id:
                return received[1]
        raise AddressError("no hub answers there; check that the run is still in progress")


def read_snapshot(answer: list[bytes], request: Request) -> Snapshot | None:
    """Return the snapshot of which `answer` is the beginning; None when it holds none.

    Its other pieces are requested as it is read.
    """
    start = parse_snapshot(answer)
    return None if start is None else Snapshot(start.offset, _pieces(start, request))


def _pieces(start: SnapshotStart, request: Request) -> Iterator[bytes]:
    data, place = start.data, 0
    while data:
        place += len(data)
        asked = snapshot_request(start.id, place)
        # If it is sent at once, the next piece is made and sent while this one is decoded here.
        answer = request(*asked)
        yield data
        data = parse_snapshot_piece(answer(), asked)
