"""Questions to a hub or a relay, and their answers: a viewer's end of the history socket."""

from __future__ import annotations

import zmq

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.history.protocol import MAX_SNAPSHOT_BYTES

ANSWER_SECONDS = 5.0


class HistoryClient:
    """Puts questions and finds their answers. One thread."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], clock: Clock) -> None:
        self.socket = context.socket(zmq.DEALER)
        """To be connected before the first question."""
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.MAXMSGSIZE, MAX_SNAPSHOT_BYTES)
        self._clock = clock
        self._number = 0

    def send(self, *question: bytes) -> bytes:
        """Send a question; returns its id. Raises zmq.Again when nobody is there to be asked."""
        self._number += 1
        request_id = str(self._number).encode()
        self.socket.send_multipart([request_id, *question], zmq.DONTWAIT)
        return request_id

    def poll(self) -> tuple[bytes, list[bytes]] | None:
        """(id of the question, its answer) if one has come; None: none has. Does not wait."""
        try:
            request_id, *answer = self.socket.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            return None
        return request_id, answer

    def wait_for(self, request_id: bytes) -> list[bytes]:
        """Wait for the answer to one question; those to others are thrown away. Raises AddressError."""
        deadline_ns = self._clock.mono_ns() + int(ANSWER_SECONDS * NANOSECONDS)
        while (left_ns := deadline_ns - self._clock.mono_ns()) > 0:
            self.socket.poll(left_ns // 1_000_000 + 1)
            taken = self.poll()
            if taken is not None and taken[0] == request_id:
                return taken[1]
        raise AddressError("no hub answers there; is the run still going on?")
