"""The launcher's end of the channel: takes what workers report to the desk, and answers with their next files."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import zmq

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import ChannelError
from virnucpro_bus.sockets import HIGH_WATER_MARK, bind_privately
from workers.desk.desk import Desk
from workers.pool.slot import Slot
from workers.protocol import Answer, Request, decode_request, encode_answer

DISMISSAL_SECONDS = 10.0
"""Time for a worker to exit after the answer that there are no more files."""
_REQUESTS_PER_TURN = 1_000


class Dispatcher:
    """Receives the workers' requests and sends the answers. For one thread. It shares the slots with the pool."""

    def __init__(self, address: str, slots: Sequence[Slot], desk: Desk, clock: Clock) -> None:
        """Bind `address`. Raises zmq.ZMQError."""
        self.address = address
        self.token = secrets.token_hex(16)
        """The secret that a request must carry: it proves that this launcher started the worker."""
        self._slots = slots
        self._desk = desk
        self._clock = clock
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.ROUTER)
        """To wait on for input before `receive`."""
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        self.socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
        try:
            bind_privately(self.socket, address)
        except zmq.ZMQError:
            self.close()
            raise

    def receive(self) -> None:
        """Process the requests that have arrived, and commit what they report."""
        try:
            for _ in range(_REQUESTS_PER_TURN):
                self._process(self.socket.recv_multipart(zmq.DONTWAIT))
        except zmq.Again:
            pass
        self._desk.commit()

    def reply(self) -> None:
        """Answer the pending requests for which there is an answer now."""
        if not self._desk.can_commit() and not self._desk.closing:
            return
        for slot in self._slots:
            if slot.pending is not None and not self._desk.is_committing(slot):
                self._answer(slot, slot.pending)

    def close(self) -> None:
        """Close the channel. Safe to call twice."""
        self._context.destroy(linger=0)

    def _process(self, message: list[bytes]) -> None:
        try:
            peer, raw = message
            request = decode_request(raw)
        except (ValueError, ChannelError):
            return  # not from a worker of this run
        if request.token != self.token or not 0 <= request.slot < len(self._slots):
            return
        slot = self._slots[request.slot]
        if request.epoch != slot.epoch:
            return  # from an earlier process of the slot
        slot.peer = peer
        if slot.last_answer is not None and slot.last_answer.number == request.number:
            self._send(slot, slot.last_answer)
        elif slot.pending is None or slot.pending.number != request.number:
            slot.pending = request
            self._desk.report(slot, request.settled, request.unable)

    def _answer(self, slot: Slot, request: Request) -> None:
        """Answer with files, or with the end; keep the request pending while another worker may lose its file."""
        answer = self._desk.answer(slot, request.number)
        if answer is None:
            return
        if answer.tasks is None:
            slot.dismissal_ends_ns = self._clock.mono_ns() + int(DISMISSAL_SECONDS * NANOSECONDS)
        slot.pending, slot.last_answer = None, answer
        self._send(slot, answer)

    def _send(self, slot: Slot, answer: Answer) -> None:
        try:
            self.socket.send_multipart([slot.peer, encode_answer(answer)], zmq.DONTWAIT)
        except zmq.ZMQError:
            pass  # the worker has died, or its queue is full: then it sends the request again
