"""The live source for a run on another machine: asks a relay for the next bytes of its capture.

One request is always pending; when its answer is lost, it is sent again for the same offset. So a connection that
breaks and comes back causes neither a gap nor duplicates.
"""

from __future__ import annotations

from functools import partial

import msgspec
import zmq

from virnucpro_bus.capture.records import Record, RecordScanner
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import AddressError, NoAnswerError
from virnucpro_bus.events.vocabulary import REASON_CHARACTERS
from virnucpro_bus.history.client import HistoryClient, read_snapshot
from virnucpro_bus.history.protocol import Snapshot, parse_hello, parse_piece
from virnucpro_bus.history.recorded_clock import RecordedClock
from virnucpro_bus.remote.keys import Identity, load_identity
from virnucpro_bus.remote.memory_guard import MemoryGuard
from virnucpro_bus.sockets import SocketMonitor, enable_keepalive

JOIN_SECONDS = 4.0
ASK_AGAIN_NS = 2 * NANOSECONDS
RELAY_SILENT_AFTER_NS = 3 * NANOSECONDS
"""A relay answers within a second; a longer silence means that the connection does not work."""
GIVE_UP_AFTER_NS = 120 * NANOSECONDS
_WAIT_MS = 50
_NOTHING_LISTENS = "nothing listens there"
_SHOW_KEY = "on that machine: virnucpro-bus keys list"
_GIVE_KEY = f"give its public key with --server-key ({_SHOW_KEY})"


class Follower:
    """An EventSource that follows one relay. Not thread-safe."""

    events_on_record = 0
    """Always 0: a relay sends its whole capture, so there is no other count to compare with."""
    ended = False
    """Always False: the run ends, not the relay."""

    def __init__(self, address: str, clock: Clock, server_key: bytes | None = None) -> None:
        """Join the relay at `address`, tcp://HOST:PORT. Raises AddressError with the reason within 4 s.

        `server_key` is the relay's public key; None for a relay without keys. With a key it raises UserError when
        this user has no key pair.
        """
        self.address = address
        self.behind = True
        """Whether there is unread history."""
        self.problem: str | None = None
        """Why nothing is received although the run may continue; None while the connection works."""
        self.recorded = RecordedClock(clock)
        """The clock of the run's capture."""
        self._clock = clock
        self._identity = None if server_key is None else load_identity()
        self._scanner = RecordScanner()
        self.offset = 0
        """Up to where the capture has been read, in bytes."""
        self.unread_bytes = 0
        """Bytes that remained unread after the last answer."""
        self.snapshot_size_bytes = 0
        """Size of the capture, as far as it was known, when the last snapshot was requested."""
        self._requested_ns: int | None = None
        """When the pending request was sent; None when no request is pending."""
        self._received_ns = clock.mono_ns()
        """When the last answer was received."""
        self._reason = ""
        """Why the connection does not work, as far as known."""
        self._server_key = server_key
        self._memory = MemoryGuard(clock)
        self._context = zmq.Context()
        self._open_socket()
        try:
            self._client.socket.connect(address)
            self.hello = parse_hello(self._ask(b"hello"))
            self.recorded.estimate(self.hello.now_ns)
        except (zmq.ZMQError, UnicodeEncodeError) as error:
            self.close()
            raise AddressError(f"{address}: is not a valid address: {error}; expected tcp://host:port") from None
        except msgspec.DecodeError:
            self.close()
            raise AddressError(f"{address}: is not a relay of virnucpro-bus; check the address") from None
        except AddressError:
            self.close()
            raise

    def _open_socket(self) -> None:
        """Make the socket that will be connected to the relay, and its monitor."""
        self._client = HistoryClient(self._context, self._clock)
        socket = self._client.socket
        # A request that is sent without a connection would be answered long afterwards.
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.setsockopt(zmq.RECONNECT_IVL, 100)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1_000)
        # The system would retry after 1, 3, 7 and more seconds: too long when the network is back.
        socket.setsockopt(zmq.CONNECT_TIMEOUT, 2_000)
        socket.setsockopt(zmq.IPV6, int("[" in self.address))
        enable_keepalive(socket)
        if self._identity is not None and self._server_key is not None:
            socket.curve_publickey, socket.curve_secretkey = self._identity.public, self._identity.secret
            socket.curve_serverkey = self._server_key
        self._monitor = SocketMonitor(socket)

    def snapshot(self) -> Snapshot | None:
        """Request the relay's fold of what is on record; None when it has none. Raises AddressError."""
        self.snapshot_size_bytes = self.offset + self.unread_bytes
        # A request is sent when its answer is needed: until that comes it is sent again.
        return read_snapshot(self._ask(b"snapshot"), lambda *request: partial(self._ask, *request))

    def seek(self, offset: int) -> None:
        """Skip the history before `offset`, which a snapshot covers."""
        self.offset, self.unread_bytes = offset, 0
        self._scanner = RecordScanner()

    def receive(self, timeout_seconds: float) -> tuple[list[bytes], list[int]]:
        """Return what was recorded since the last call. See EventSource; raises AddressError when refused."""
        self._watch_connection()
        if self._must_ask():
            self._request_next()
        self._client.socket.poll(int(timeout_seconds * 1000) or (_WAIT_MS if self.behind else 0))
        received = self._client.poll()
        now_ns = self._clock.mono_ns()
        records: list[Record] = []
        if received is not None:
            self._received_ns, self.problem = now_ns, None
            records = self._read(self._checked(received[1]))
        elif now_ns - self._received_ns > RELAY_SILENT_AFTER_NS:
            silent_seconds = (now_ns - self._received_ns) // NANOSECONDS
            reason = f" ({self._reason})" if self._reason else ""
            self.problem = f"{self.address}: no contact for {silent_seconds} s{reason}"
            # A viewer must not wait for history that may never arrive; from here on it shows the problem instead.
            self.behind = False
        return [record.frame for record in records], [record.received_ns for record in records]

    def prove_alive(self) -> None:
        """Raise AddressError when nothing has been received for two minutes."""
        if self._clock.mono_ns() - self._received_ns > GIVE_UP_AFTER_NS:
            raise AddressError(self.problem or f"{self.address}: no contact")

    def poll_hub_count(self) -> None:
        """Do nothing: a relay sends everything that is on record."""

    def resume_history(self) -> None:
        """Do nothing: what is missing in the capture cannot be recovered."""

    def close(self) -> None:
        """Disconnect. Safe to call twice."""
        if not self._client.socket.closed:
            self._monitor.close()
        self._context.destroy(linger=0)

    def _ask(self, *request: bytes) -> list[bytes]:
        """Send one request and wait for its answer. Raises AddressError with the reason when none arrives."""
        deadline_ns = self._clock.mono_ns() + int(JOIN_SECONDS * NANOSECONDS)
        # The answer to an earlier request is discarded while we wait for this one.
        request_id = self._requested_ns = None
        while self._clock.mono_ns() < deadline_ns:
            self._watch_connection()
            if self._must_ask():
                request_id = self._send(*request)
            self._client.socket.poll(_WAIT_MS)
            received = self._client.poll()
            if received is not None and received[0] == request_id:
                self._requested_ns, self._received_ns = None, self._clock.mono_ns()
                return self._checked(received[1])
        if self._reason in ("", _NOTHING_LISTENS):
            raise NoAnswerError(f"{self.address}: {self._reason or 'no relay answers there; check the address'}")
        raise AddressError(f"{self.address}: {self._reason}")

    def _request_next(self) -> None:
        self._send(b"follow", self.hello.run.encode(), str(self.offset).encode())

    def _must_ask(self) -> bool:
        """Whether no request is pending, or its answer seems to be lost."""
        return self._requested_ns is None or self._clock.mono_ns() - self._requested_ns > ASK_AGAIN_NS

    def _send(self, *request: bytes) -> bytes | None:
        """Send a request; returns its id, None when there is no connection."""
        try:
            request_id = self._client.send(*request)
        except zmq.Again:
            return None
        self._requested_ns = self._clock.mono_ns()
        return request_id

    def _checked(self, answer: list[bytes]) -> list[bytes]:
        """Return the answer. Raises AddressError when it is a refusal."""
        if answer[:1] == [b"refused"]:
            reason = b" ".join(answer[1:]).decode(errors="replace")[:REASON_CHARACTERS]
            raise AddressError(f"{self.address}: {reason}")
        return answer

    def _read(self, answer: list[bytes]) -> list[Record]:
        """Return the records in an answer; none for the second answer to a request that was sent twice."""
        piece = parse_piece(answer, self.offset)
        if piece is None:
            return []
        self.offset += len(piece.data)
        self.unread_bytes = max(0, piece.size - self.offset)
        records = self._scanner.feed(piece.data)
        if records and not self.behind and not self.unread_bytes:
            self.recorded.observe(records[-1].received_ns)
        self.behind = self.behind and self.unread_bytes > 0
        # The relay reads and sends the next piece while this one is decoded and folded here.
        self._request_next()
        return records

    def _watch_connection(self) -> None:
        """Learn from the socket's events why a connection fails. Raises AddressError when it can never work.

        A connection is made anew when the memory has grown so far that the relay's answer may have no end.
        """
        if self._memory.is_exceeded():
            self._monitor.close()
            self._client.socket.close(linger=0)
            self._open_socket()
            self._client.socket.connect(self.address)
            self._requested_ns = None
        for event, value in self._monitor.poll_events():
            match event:
                case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                    raise AddressError(f"{self.address}: {_unknown_key(self._identity)}")
                case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL if value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
                    raise AddressError(f"{self.address}: {_wrong_mechanism(self._identity)}")
                case zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                    self._reason = _failed_handshake(self._identity)
                case zmq.EVENT_HANDSHAKE_SUCCEEDED:
                    self._reason = ""
                case zmq.EVENT_DISCONNECTED:
                    self._requested_ns = None  # its answer is lost with the connection
                case zmq.EVENT_CONNECT_RETRIED:
                    self._reason = self._reason or _NOTHING_LISTENS


def _unknown_key(identity: Identity | None) -> str:
    key = "KEY" if identity is None else identity.public.hex()
    return (
        "this machine's key is not on the relay's list of clients; allow it on that machine with: "
        f"virnucpro-bus keys allow {key}"
    )


def _wrong_mechanism(identity: Identity | None) -> str:
    if identity is None:
        return f"the relay accepts known keys only; {_GIVE_KEY}"
    return "the relay uses no keys; leave out --server-key"


def _failed_handshake(identity: Identity | None) -> str:
    if identity is None:
        # A busy relay may close the connection before its part of the handshake arrives, so both are possible.
        return f"the relay accepts known keys only, or it is not a relay of virnucpro-bus; {_GIVE_KEY}"
    return f"the handshake failed; check that --server-key is the relay's public key ({_SHOW_KEY})"
