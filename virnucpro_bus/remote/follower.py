"""The receiving end of a relay: a run on another machine, followed by asking for what comes next.

One question is always under way; it is put again when its answer is lost, from the same place. So a connection
that breaks and heals leaves neither a hole nor a double.
"""

from __future__ import annotations

import msgspec
import zmq

from virnucpro_bus.capture.records import RecordScanner
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.history.client import HistoryClient
from virnucpro_bus.history.protocol import Snapshot, parse_hello, parse_piece, parse_snapshot
from virnucpro_bus.remote.keys import Identity, load_identity
from virnucpro_bus.sockets import SocketMonitor, enable_keepalive

JOIN_SECONDS = 4.0
ASK_AGAIN_NS = 2 * NANOSECONDS
RELAY_SILENT_AFTER_NS = 3 * NANOSECONDS
"""A relay answers within a second; so long without a word is a connection that does not work."""
GIVE_UP_AFTER_NS = 120 * NANOSECONDS
_WAIT_MS = 50


class Follower:
    """Follows one relay. One thread."""

    events_on_record = 0
    """A relay sends its whole capture: there is nothing to be counted beside it."""
    ended = False
    """What ends is the run, not the relay."""

    def __init__(self, address: str, clock: Clock, server_key: bytes | None = None) -> None:
        """Join the relay at `address`, tcp://HOST:PORT. Raises AddressError, with the reason, within 4 s.

        `server_key` is its public key; None for one that needs none. Raises UserError without a key of one's own.
        """
        self.address = address
        self.behind = True
        """Whether there is history left to read."""
        self.problem: str | None = None
        """Why nothing comes although the run may go on; None while all is well."""
        self._clock = clock
        self._identity = None if server_key is None else load_identity()
        self._scanner = RecordScanner()
        self.offset = 0
        """Up to where the capture has been read, in bytes."""
        self.unread_bytes = 0
        """How much was left to read after the last answer."""
        self._asked_ns: int | None = None
        """When the question that is under way was put; None: none is."""
        self._heard_ns = clock.mono_ns()
        self._reason = ""
        self._context = zmq.Context()
        self._questions = HistoryClient(self._context, clock)
        socket = self._questions.socket
        # What is asked without a connection would be answered long after it was asked.
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.setsockopt(zmq.RECONNECT_IVL, 100)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1_000)
        # The system would try again after 1, 3, 7 and more seconds: too long once the network is back.
        socket.setsockopt(zmq.CONNECT_TIMEOUT, 2_000)
        socket.setsockopt(zmq.IPV6, int("[" in address))
        enable_keepalive(socket)
        if self._identity is not None and server_key is not None:
            socket.curve_publickey, socket.curve_secretkey = self._identity.public, self._identity.secret
            socket.curve_serverkey = server_key
        self._connections = SocketMonitor(socket)
        try:
            socket.connect(address)
            self.hello = parse_hello(self._ask(b"hello"))
        except zmq.ZMQError as error:
            self.close()
            raise AddressError(f"{address}: not an address to listen to: {error}") from None
        except msgspec.DecodeError:
            self.close()
            raise AddressError(f"{address}: what answers there is no relay of virnucpro-bus") from None
        except AddressError:
            self.close()
            raise

    def _ask(self, question: bytes) -> list[bytes]:
        """Put one question and wait for its answer. Raises AddressError, with the reason, when none comes."""
        deadline_ns = self._clock.mono_ns() + int(JOIN_SECONDS * NANOSECONDS)
        # The answer to any other question would be thrown away while we wait for this one.
        request_id = self._asked_ns = None
        while self._clock.mono_ns() < deadline_ns:
            self._watch_connection()
            if self._asked_ns is None:
                request_id = self._put(question)
            self._questions.socket.poll(_WAIT_MS)
            taken = self._questions.poll()
            if taken is not None and taken[0] == request_id:
                self._asked_ns = None
                return self._checked(taken[1])
        raise AddressError(f"{self.address}: {self._reason or 'nobody answers there; is it the right address?'}")

    def _put(self, *question: bytes) -> bytes | None:
        try:
            request_id = self._questions.send(*question)
        except zmq.Again:
            return None  # there is no connection just now
        self._asked_ns = self._clock.mono_ns()
        return request_id

    def _checked(self, answer: list[bytes]) -> list[bytes]:
        """The answer, unless it is that we get none. Raises AddressError."""
        if answer[:1] == [b"refused"]:
            raise AddressError(f"{self.address}: {b' '.join(answer[1:]).decode(errors='replace')}")
        return answer

    def snapshot(self) -> Snapshot | None:
        """The relay's fold of what is on record; None when it has none. Raises AddressError."""
        return parse_snapshot(self._ask(b"snapshot"))

    def seek(self, offset: int) -> None:
        """Pass over the history before `offset`, which a snapshot stands for."""
        self.offset, self.unread_bytes = offset, 0
        self._scanner = RecordScanner()

    def receive(self, timeout_seconds: float) -> tuple[list[bytes], int | None]:
        """What has been recorded since the last call. See EventSource; raises AddressError when we are refused."""
        self._watch_connection()
        now_ns = self._clock.mono_ns()
        if self._asked_ns is None or now_ns - self._asked_ns > ASK_AGAIN_NS:
            self._follow()
        self._questions.socket.poll(int(timeout_seconds * 1000) or (_WAIT_MS if self.behind else 0))
        taken = self._questions.poll()
        now_ns = self._clock.mono_ns()
        frames: list[bytes] = []
        came_ns = None if self.behind else now_ns
        if taken is not None:
            self._heard_ns, self.problem = now_ns, None
            frames = self._read(self._checked(taken[1]))
        elif now_ns - self._heard_ns > RELAY_SILENT_AFTER_NS:
            silent_seconds = (now_ns - self._heard_ns) // NANOSECONDS
            why = f" ({self._reason})" if self._reason else ""
            self.problem = f"{self.address}: no contact for {silent_seconds} s{why}"
            # Whoever reads up now waits for something that may never come; live, it shows as trouble.
            self.behind = False
        return frames, came_ns

    def _follow(self) -> None:
        self._put(b"follow", self.hello.run.encode(), str(self.offset).encode())

    def _read(self, answer: list[bytes]) -> list[bytes]:
        """The frames in an answer; an answer to a question that was put again is passed over."""
        piece = parse_piece(answer, self.offset)
        if piece is None:
            return []
        self.offset += len(piece.data)
        self.unread_bytes = max(0, piece.size - self.offset)
        self.behind = self.behind and self.unread_bytes > 0
        # The relay reads and sends the next piece while this one is decoded and folded here.
        self._follow()
        return [record.frame for record in self._scanner.feed(piece.data)]

    def _watch_connection(self) -> None:
        """Learn from the connection why it does not work. Raises AddressError where it never will."""
        for event, value in self._connections.poll_events():
            match event:
                case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                    raise AddressError(f"{self.address}: {_unknown_key(self._identity)}")
                case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL if value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
                    raise AddressError(f"{self.address}: {_mechanism(self._identity)}")
                case zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                    self._reason = _handshake(self._identity)
                case zmq.EVENT_HANDSHAKE_SUCCEEDED:
                    self._reason = ""
                case zmq.EVENT_DISCONNECTED:
                    self._asked_ns = None  # the answer went with it
                case zmq.EVENT_CONNECT_RETRIED:
                    self._reason = self._reason or "nobody listens there"

    def prove_alive(self) -> None:
        """Raises AddressError when nothing has been heard for two minutes."""
        if self._clock.mono_ns() - self._heard_ns > GIVE_UP_AFTER_NS:
            raise AddressError(self.problem or f"{self.address}: no contact")

    def poll_hub_count(self) -> None:
        """Nothing to be done: what comes is what is on record."""

    def resume_history(self) -> None:
        """Nothing to be done: what is missing in the capture is missing for good."""

    def close(self) -> None:
        if not self._questions.socket.closed:
            self._connections.close()
        self._context.destroy(linger=0)


_GIVE_KEY = "give its key with --server-key (there: virnucpro-bus keys list)"


def _unknown_key(identity: Identity | None) -> str:
    key = "KEY" if identity is None else identity.public.hex()
    return (
        "this machine's key is not on the list of clients there; whoever runs it lets it in with: "
        f"virnucpro-bus keys allow {key}"
    )


def _mechanism(identity: Identity | None) -> str:
    if identity is None:
        return f"it lets in known keys only; {_GIVE_KEY}"
    return "it works without keys; leave out --server-key"


def _handshake(identity: Identity | None) -> str:
    if identity is None:
        # A busy relay has often hung up before its end of the handshake is here, which would tell which it is.
        return f"it lets in known keys only, or it is no relay of virnucpro-bus; {_GIVE_KEY}"
    return "the handshake failed; is --server-key its key? (there: virnucpro-bus keys list)"
