"""The relay: serves a run's capture over TCP to viewers on other machines, read only, in a process of its own.

A relay only answers requests. So no subscriptions pile up, nothing more is sent to a viewer that does not read,
and a viewer that lost its connection asks again from the same offset: without a gap and without duplicates.

    [request id, "hello"]                -> [request id, HelloReply as MessagePack]
    [request id, "snapshot"]             -> [request id, snapshot's id, offset, bytes]
    [request id, "snapshot", id, place]  -> [request id, id, place, bytes]
    [request id, "follow", run, offset]  -> [request id, offset, size, bytes]
                                            when there are bytes after the offset, or after a second
    any of them                          -> [request id, "refused", reason]
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
from virnucpro_bus.remote.memory_guard import MemoryGuard
from virnucpro_bus.remote.rejections import HandshakeTracker
from virnucpro_bus.sockets import SocketMonitor, enable_keepalive

PIECE_BYTES = 1 << 18
SNAPSHOT_PIECE_BYTES = 1 << 20
"""Longer than a hub's, because each takes a way there and back: a relay has nothing else to do."""
KEEP_ALIVE_NS = NANOSECONDS
"""A request is answered after this time even if there is nothing new."""
MAX_VIEWERS = 256
MAX_VIEWERS_PER_KEY = 64
"""Where keys are used, one client cannot take the places of all others."""
VIEWER_SILENT_AFTER_NS = 3 * NANOSECONDS
"""A viewer asks at least once a second; a relay that ends does not wait for one that was silent for longer."""
FORGOTTEN_AFTER_NS = 10 * NANOSECONDS
"""A viewer without a request for this time no longer counts as one."""
LISTENING_OPTIONS = (
    (zmq.LINGER, 0),
    # Answers of 1 MiB at most that are queued for one viewer: limits the memory that one takes which never reads.
    (zmq.SNDHWM, 2),
    (zmq.RCVHWM, 100),
    # The longest request has some fifty bytes, a CURVE handshake a few hundred.
    (zmq.MAXMSGSIZE, 1024),
    (zmq.BACKLOG, 1024),
)
_REQUESTS_PER_POLL = 1_000


@dataclass
class _Viewer:
    """What a relay knows of one viewer."""

    last_request_ns: int
    sent_offset: int = 0
    """Up to where the capture has been sent to it, in bytes."""
    request_id: bytes | None = None
    """The pending "follow" request; None when it has been answered."""
    offset: int = 0
    """From where that request wants the capture, in bytes."""
    user_id: str = ""
    """Its public key in hexadecimal; empty without CURVE."""


class Relay:
    """Answers viewers. Not thread-safe.

    Poll `sockets`, every 50 ms while `pending`, then call `poll`.
    """

    def __init__(
        self,
        address: str,
        capture: ReadableCapture,
        hello: HelloReply,
        clock: Clock,
        access: Access | None,
        report: Callable[[str], object],
    ) -> None:
        """Bind `address`. `access` None admits every client, for addresses that only this machine can reach.

        `report` receives one line for each refused connection. Raises zmq.ZMQError when binding fails.
        """
        self._capture = capture
        self._hello = hello
        self._clock = clock
        self._report = report
        self._history = HistoryServer(capture, lambda: hello, clock, PIECE_BYTES, SNAPSHOT_PIECE_BYTES)
        self._viewers: dict[bytes, _Viewer] = {}
        self._questions: list[tuple[bytes, bytes, list[bytes]]] = []
        """(peer, request id, request) of those to be answered at once."""
        self._handshakes = HandshakeTracker()
        self._context = zmq.Context()
        self._access = access
        self._authenticator = None if access is None else Authenticator(self._context, access.allowed, report)
        self._memory = MemoryGuard(clock)
        self._open_socket(address)
        try:
            self._socket.bind(address)
        except zmq.ZMQError:
            self.close()
            raise
        self._is_bound = True
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        """The address that was bound, with the actual port in place of a wildcard."""

    def _open_socket(self, address: str) -> None:
        """Make the socket that will listen at `address`, and its monitor."""
        self._socket = self._context.socket(zmq.ROUTER)
        for option, value in LISTENING_OPTIONS:
            self._socket.setsockopt(option, value)
        self._socket.setsockopt(zmq.IPV6, int("[" in address))
        enable_keepalive(self._socket)
        if self._access is not None:
            secure(self._socket, self._access.identity)
        self._monitor = SocketMonitor(self._socket)

    def sockets(self) -> list[zmq.Socket[bytes]]:
        """The sockets to poll for input before the next call of `poll`, which may replace them."""
        inner = [self._socket, self._monitor.socket]
        return inner if self._authenticator is None else [*inner, self._authenticator.socket]

    @property
    def pending(self) -> bool:
        """Whether a viewer waits for the next bytes of the capture."""
        return any(viewer.request_id is not None for viewer in self._viewers.values())

    @property
    def delivered(self) -> bool:
        """Whether every viewer that still asks has been sent the whole capture."""
        size, since_ns = self._capture.size_bytes, self._clock.mono_ns() - VIEWER_SILENT_AFTER_NS
        active = [viewer for viewer in self._viewers.values() if viewer.last_request_ns > since_ns]
        return all(viewer.sent_offset >= size for viewer in active)

    def poll(self) -> None:
        """Do what can be done without waiting."""
        if self._memory.is_exceeded():
            self._drop_connections()
        if not self._is_bound:
            self._bind_again()
        if self._authenticator is not None:
            self._authenticator.answer()
        for event, value in self._monitor.poll_events():
            if message := self._handshakes.observe(event, value):
                self._report(message)
        self._receive()
        self._answer_questions()
        self._answer_pending()
        self._history.advance_fold()

    def _drop_connections(self) -> None:
        """Close all connections, which frees what they have sent. Viewers come back within a second."""
        self._report("closed all connections: what they have sent without end filled the memory")
        self._monitor.close()
        self._socket.close(linger=0)
        self._viewers.clear()
        self._handshakes = HandshakeTracker()
        self._open_socket(self.address)
        self._is_bound = False

    def _bind_again(self) -> None:
        try:
            self._socket.bind(self.address)
        except zmq.ZMQError:
            return  # the library closes the former socket in the background
        self._is_bound = True

    def close(self) -> None:
        """Close the sockets; queued answers get half a second. Safe to call twice."""
        if not self._socket.closed:
            self._monitor.close()
        self._context.destroy(linger=500)

    def _receive(self) -> None:
        try:
            for _ in range(_REQUESTS_PER_POLL):
                frames = self._socket.recv_multipart(zmq.DONTWAIT, copy=False)
                user_id = "" if self._authenticator is None else str(frames[-1].get("User-Id"))
                self._handle([frame.bytes for frame in frames], user_id)
        except zmq.Again:
            pass

    def _handle(self, message: list[bytes], user_id: str) -> None:
        if len(message) < 3:
            return
        peer, request_id, *request = message
        viewer = self._viewers.get(peer) or _Viewer(0)
        viewer.last_request_ns, viewer.user_id = self._clock.mono_ns(), user_id
        if refusal := self._refusal(peer, viewer):
            self._refuse(peer, request_id, refusal)
            return
        match request:
            case [b"follow", run, offset] if is_offset(offset):
                if run != self._hello.run.encode():
                    self._refuse(peer, request_id, "the relay now serves another run")
                    return
                viewer.request_id, viewer.offset = request_id, int(offset)
                self._viewers[peer] = viewer
            case [b"hello" | b"snapshot", *_]:
                self._questions.append((peer, request_id, request))
            case _:
                self._refuse(peer, request_id, "unknown request")

    def _refusal(self, peer: bytes, viewer: _Viewer) -> str | None:
        """Return why this viewer is refused; None when it is not. A key may be revoked while its owner watches."""
        if self._authenticator is not None and not self._authenticator.is_allowed(viewer.user_id):
            self._report(f"refused a viewer whose key {viewer.user_id} has been revoked")
            return "this machine's key has been revoked there"
        if peer in self._viewers:
            return None
        if len(self._viewers) >= MAX_VIEWERS:
            return f"the relay already serves {MAX_VIEWERS} viewers, which is its limit"
        same_key = sum(each.user_id == viewer.user_id for each in self._viewers.values())
        if viewer.user_id and same_key >= MAX_VIEWERS_PER_KEY:
            return f"the relay already serves {MAX_VIEWERS_PER_KEY} viewers with this key, which is its limit"
        return None

    def _answer_questions(self) -> None:
        """Answer the requests for hello and for pieces of a snapshot.

        Only after everything was received: before that the library may not have noticed that a viewer has read its
        last answers, and then it drops the next one (SNDHWM).
        """
        questions, self._questions = self._questions, []
        for peer, request_id, request in questions:
            answer = self._history.answer(peer, request)
            if answer is None:
                self._refuse(peer, request_id, "unknown request")
            else:
                self._send(peer, request_id, answer)

    def _answer_pending(self) -> None:
        now_ns, size = self._clock.mono_ns(), self._capture.size_bytes
        for peer, viewer in list(self._viewers.items()):
            if viewer.request_id is None:
                if now_ns - viewer.last_request_ns > FORGOTTEN_AFTER_NS:
                    del self._viewers[peer]
            elif refusal := self._refusal(peer, viewer):
                self._refuse(peer, viewer.request_id, refusal)
            elif viewer.offset < size or now_ns - viewer.last_request_ns >= KEEP_ALIVE_NS:
                answer = self._history.answer(peer, [b"read", str(viewer.offset).encode()]) or []
                self._send(peer, viewer.request_id, answer)
                viewer.request_id, viewer.sent_offset = None, viewer.offset + len(answer[-1])

    def _refuse(self, peer: bytes, request_id: bytes, reason: str) -> None:
        self._viewers.pop(peer, None)
        self._send(peer, request_id, [b"refused", reason.encode()])

    def _send(self, peer: bytes, request_id: bytes, answer: list[bytes]) -> None:
        try:
            self._socket.send_multipart([peer, request_id, *answer], zmq.DONTWAIT)
        except zmq.ZMQError:
            pass  # it does not read, or it has gone; it can ask again
