"""The relay: lets viewers on other machines follow a run over TCP. Reads only, in a process of its own.

A viewer asks and is answered; nothing is ever sent that was not asked for. So there are no subscriptions to pile
up, one who does not read has nothing sent to it, and one that lost its connection asks again from where it was: no
gap, nothing twice.

    [request id, "hello"]                -> [request id, HelloReply as MessagePack]
    [request id, "snapshot"]             -> [request id, offset, snapshot]
    [request id, "follow", run, offset]  -> [request id, offset, size, bytes]
                                            once there are any from there on, or after a second
    any of them                          -> [request id, "refused", why]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import zmq

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.history.protocol import HelloReply, ReadableCapture, is_offset
from virnucpro_bus.history.server import HistoryServer
from virnucpro_bus.remote.authenticator import Authenticator, secure
from virnucpro_bus.remote.listen_address import Access
from virnucpro_bus.remote.rejections import HandshakeTracker
from virnucpro_bus.sockets import SocketMonitor, enable_keepalive

PIECE_BYTES = 1 << 18
KEEP_ALIVE_NS = NANOSECONDS
"""After so long a question is answered even if there is nothing new."""
MAX_VIEWERS = 256
VIEWER_SILENT_AFTER_NS = 3 * NANOSECONDS
"""A viewer asks at least once a second; at its end a relay waits for none that has been silent for so long."""
FORGOTTEN_AFTER_NS = 10 * NANOSECONDS
LISTENING_OPTIONS = (
    (zmq.LINGER, 0),
    # Answers of PIECE_BYTES that may wait for one viewer: all the memory that one who never reads can take.
    (zmq.SNDHWM, 2),
    (zmq.RCVHWM, 100),
    # The longest question has some fifty bytes, a CURVE handshake a few hundred.
    (zmq.MAXMSGSIZE, 1024),
    (zmq.BACKLOG, 1024),
)
_REQUESTS_PER_TURN = 1_000


@dataclass
class _Viewer:
    heard_ns: int
    sent: int = 0
    """Up to where it has been sent the capture."""
    request_id: bytes | None = None
    """The question that waits for an answer; None: none does."""
    offset: int = 0
    user_id: str = ""


class Relay:
    """Answers viewers. One thread: poll `sockets` (and again every 50 ms while `waiting`), then call `turn`."""

    def __init__(
        self,
        address: str,
        recorded: ReadableCapture,
        hello: HelloReply,
        clock: Clock,
        access: Access | None,
        tell: Callable[[str], object],
    ) -> None:
        """Bind `address`. `access` None lets in whoever can reach it: for addresses of this machine alone.

        `tell` is told, in a line, who was refused and why. Raises zmq.ZMQError when the address cannot be bound.
        """
        self._recorded = recorded
        self._hello = hello
        self._clock = clock
        self._tell = tell
        self._history = HistoryServer(recorded, lambda: hello, clock, PIECE_BYTES)
        self._viewers: dict[bytes, _Viewer] = {}
        self._strangers = HandshakeTracker()
        self._context = zmq.Context()
        self._door = None if access is None else Authenticator(self._context, access.allowed, tell)
        self._socket = self._context.socket(zmq.ROUTER)
        for option, value in LISTENING_OPTIONS:
            self._socket.setsockopt(option, value)
        self._socket.setsockopt(zmq.IPV6, int("[" in address))
        enable_keepalive(self._socket)
        if access is not None:
            secure(self._socket, access.identity)
        self._connections = SocketMonitor(self._socket)
        try:
            self._socket.bind(address)
        except zmq.ZMQError:
            self.close()
            raise
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        """Where it listens, with the port that a wildcard stood for."""

    def sockets(self) -> list[zmq.Socket[bytes]]:
        """The sockets to poll for input before calling `turn`."""
        inner = [self._socket, self._connections.socket]
        return inner if self._door is None else [*inner, self._door.socket]

    @property
    def pending(self) -> bool:
        """Whether somebody waits for what is recorded next."""
        return any(viewer.request_id is not None for viewer in self._viewers.values())

    @property
    def delivered(self) -> bool:
        """Whether all who follow, as far as they still ask, have been sent all there is."""
        size, since_ns = self._recorded.size_bytes, self._clock.mono_ns() - VIEWER_SILENT_AFTER_NS
        return all(viewer.sent >= size for viewer in self._viewers.values() if viewer.heard_ns > since_ns)

    def poll(self) -> None:
        """Do all that can be done without waiting."""
        if self._door is not None:
            self._door.answer()
        for event, value in self._connections.poll_events():
            if complaint := self._strangers.observe(event, value):
                self._tell(complaint)
        self._hear()
        self._answer_waiting()
        self._history.advance_fold()

    def close(self) -> None:
        """Close the sockets; what is under way gets half a second. Safe to call twice."""
        if not self._socket.closed:
            self._connections.close()
        self._context.destroy(linger=500)

    def _hear(self) -> None:
        try:
            for _ in range(_REQUESTS_PER_TURN):
                frames = self._socket.recv_multipart(zmq.DONTWAIT, copy=False)
                user_id = "" if self._door is None else str(frames[-1].get("User-Id"))
                self._take([frame.bytes for frame in frames], user_id)
        except zmq.Again:
            pass

    def _take(self, request: list[bytes], user_id: str) -> None:
        if len(request) < 3:
            return
        peer, request_id, *question = request
        viewer = self._viewers.get(peer) or _Viewer(0)
        viewer.heard_ns, viewer.user_id = self._clock.mono_ns(), user_id
        if refusal := self._refusal(peer, viewer):
            self._refuse(peer, request_id, refusal)
            return
        match question:
            case [b"follow", run, offset] if is_offset(offset):
                if run != self._hello.run.encode():
                    self._refuse(peer, request_id, "another run is served there now")
                    return
                viewer.request_id, viewer.offset = request_id, int(offset)
                self._viewers[peer] = viewer
            case [b"hello"] | [b"snapshot"]:
                self._send(peer, request_id, self._history.answer(question) or [])
            case _:
                self._refuse(peer, request_id, "that is not a question")

    def _refusal(self, peer: bytes, viewer: _Viewer) -> str | None:
        """Why it gets no answer; None: it does. Asked for each message: keys are revoked while viewers watch."""
        if self._door is not None and not self._door.knows(viewer.user_id):
            self._tell(f"refused a viewer whose key {viewer.user_id} has been revoked")
            return "this machine's key has been revoked there"
        if peer not in self._viewers and len(self._viewers) >= MAX_VIEWERS:
            return f"{MAX_VIEWERS} others are watching already"
        return None

    def _answer_waiting(self) -> None:
        now_ns, size = self._clock.mono_ns(), self._recorded.size_bytes
        for peer, viewer in list(self._viewers.items()):
            if viewer.request_id is None:
                if now_ns - viewer.heard_ns > FORGOTTEN_AFTER_NS:
                    del self._viewers[peer]
            elif refusal := self._refusal(peer, viewer):
                self._refuse(peer, viewer.request_id, refusal)
            elif viewer.offset < size or now_ns - viewer.heard_ns >= KEEP_ALIVE_NS:
                answer = self._history.answer([b"read", str(viewer.offset).encode()]) or []
                self._send(peer, viewer.request_id, answer)
                viewer.request_id, viewer.sent = None, viewer.offset + len(answer[-1])

    def _refuse(self, peer: bytes, request_id: bytes, why: str) -> None:
        self._viewers.pop(peer, None)
        self._send(peer, request_id, [b"refused", why.encode()])

    def _send(self, peer: bytes, request_id: bytes, answer: list[bytes]) -> None:
        try:
            self._socket.send_multipart([peer, request_id, *answer], zmq.DONTWAIT)
        except zmq.ZMQError:
            pass  # it does not read, or has gone: it will ask again
