"""The live source for a bus on this machine: all its events, past and future, in one stream.

It subscribes first and then reads the history, so that no event falls between the two; the fold ignores events
that arrive twice.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
import zmq

from virnucpro_bus.capture.records import Record, RecordScanner
from virnucpro_bus.clock import Clock
from virnucpro_bus.errors import AddressError, NoAnswerError
from virnucpro_bus.events.codec import MAX_FRAME_BYTES
from virnucpro_bus.history.client import ANSWER_SECONDS, HistoryClient, read_snapshot
from virnucpro_bus.history.protocol import WELCOME, Snapshot, parse_hello, parse_piece
from virnucpro_bus.history.recorded_clock import RecordedClock
from virnucpro_bus.run_folder import read_addresses
from virnucpro_bus.sockets import HIGH_WATER_MARK, drain

FRAMES_PER_RECEIVE = 500
"""So few stay in the processor's cache until they are folded."""


class Subscriber:
    """An EventSource that subscribes to one hub. Not thread-safe."""

    problem: str | None = None
    """Always None: a hub on this machine is either alive or not. Follower has problems that pass."""
    ended = False
    """Always False: the run ends, not the bus."""

    def __init__(self, address: str, clock: Clock, run_dir: Path | None = None) -> None:
        """Join the bus whose history is at `address`. Raises AddressError when no hub answers within 5 s.

        `run_dir` is the bus's run folder where it is known: its lock shows whether the hub is alive.
        """
        self.behind = True
        """Whether there is unread history."""
        self.offset = 0
        """Up to where the history has been read, in bytes of the capture."""
        self.unread_bytes = 0
        """Bytes of history that remained unread after the last piece."""
        self.snapshot_size_bytes = 0
        """Size of the capture, as far as it was known, when the last snapshot was requested."""
        self.events_on_record = 0
        """Number of events that the hub had recorded at its last answer to `poll_hub_count`."""
        self.recorded = RecordedClock(clock)
        """The clock of the hub's capture."""
        self._run_dir = run_dir
        self._name = run_dir or address
        self._scanner = RecordScanner()
        self._piece_request: bytes | None = None
        """The id of the pending request for the next piece of history; None when there is none."""
        self._count_request: bytes | None = None
        """The id of the pending request of `poll_hub_count`; None when there is none."""
        self._context = zmq.Context()
        self._client = HistoryClient(self._context, clock)
        try:
            self._client.socket.connect(address)
            self.hello = parse_hello(self._ask(b"hello"))
            self.recorded.observe(self.hello.now_ns)
            self._live = self._context.socket(zmq.SUB)
            self._live.setsockopt(zmq.LINGER, 0)
            self._live.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
            self._live.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
            # In a container the hub has another path to the same folder.
            self._live.connect(read_addresses(run_dir).subscribe if run_dir else self.hello.subscribe)
            self._live.subscribe(b"")
            # The welcome is the first message of the hub; every event after it is delivered.
            if not self._live.poll(int(ANSWER_SECONDS * 1000)):
                self._check_alive()
                raise AddressError(f"{address}: the hub does not accept subscribers")
        except (zmq.ZMQError, UnicodeEncodeError) as error:
            self.close()
            raise AddressError(
                f"{address}: is not a valid address: {error}; expected ipc:///path or tcp://host:port"
            ) from None
        except msgspec.DecodeError as error:
            self.close()
            raise AddressError(f"{address}: is not a hub ({error}); check the address") from None
        except AddressError:
            self.close()
            raise

    def snapshot(self) -> Snapshot | None:
        """Request the hub's fold of what is on record; None when it has none. Raises AddressError."""
        self.snapshot_size_bytes = self.offset + self.unread_bytes
        return read_snapshot(
            self._ask(b"snapshot"), lambda *request: partial(self._wait_for, self._client.send(*request))
        )

    def seek(self, offset: int) -> None:
        """Skip the history before `offset`, which a snapshot covers."""
        self.offset, self.unread_bytes = offset, 0
        self._piece_request, self._scanner = None, RecordScanner()

    def receive(self, timeout_seconds: float) -> tuple[list[bytes], int | list[int]]:
        """Return a piece of history while there is unread history, else live frames. See EventSource."""
        if self.behind:
            records = self._read_history()
            return [record.frame for record in records], [record.received_ns for record in records]
        if not self._live.poll(int(timeout_seconds * 1000)):
            return [], []
        frames = drain(self._live, FRAMES_PER_RECEIVE)
        # A further welcome means that the connection was lost and restored.
        if WELCOME in frames:
            frames = [frame for frame in frames if frame != WELCOME]
            self.behind = self.offset > 0
        return frames, self.recorded.mono_ns()

    def prove_alive(self) -> None:
        """Raise AddressError when the hub is no longer alive."""
        if self._run_dir is not None:
            read_addresses(self._run_dir)
        else:
            self._ask(b"hello")

    def poll_hub_count(self) -> None:
        """Update `events_on_record` from the last answer and ask again, without waiting.

        Events lost at the end of a stream leave no gap in the sequence numbers: only the hub's count shows them.
        """
        if self._piece_request is not None:
            return  # an answer may be a piece of history, which must not be discarded
        try:
            while (received := self._client.poll()) is not None:
                request_id, answer = received
                if request_id == self._count_request:
                    self._count_request = None
                    self.events_on_record = parse_hello(answer).events
            # One request at a time: a hub that is stopped would have to answer all of them later.
            if self._count_request is None:
                self._count_request = self._client.send(b"hello")
        except (zmq.Again, msgspec.DecodeError):
            pass  # the count stays as it was

    def resume_history(self) -> None:
        """Read the history on from `offset`, for a viewer that has noticed a gap."""
        self.behind = True

    def close(self) -> None:
        """Disconnect. Safe to call twice."""
        self._context.destroy(linger=0)

    def _ask(self, request: bytes) -> list[bytes]:
        """Send one request to the hub's history socket and wait for its answer."""
        # The answers to earlier requests are discarded while we wait for this one.
        self._piece_request = self._count_request = None
        return self._wait_for(self._client.send(request))

    def _wait_for(self, request_id: bytes) -> list[bytes]:
        try:
            return self._client.wait_for(request_id)
        except AddressError as error:
            self._check_alive()
            raise NoAnswerError(f"{self._name}: {error}") from None

    def _check_alive(self) -> None:
        """Raise EndedError if the run folder shows that the hub has ended."""
        if self._run_dir is not None:
            read_addresses(self._run_dir)

    def _read_history(self) -> list[Record]:
        request_id = self._piece_request or self._client.send(b"read", str(self.offset).encode())
        self._piece_request = self._count_request = None
        piece = parse_piece(self._wait_for(request_id), self.offset)
        if piece is None:
            return []
        self.offset += len(piece.data)
        self.unread_bytes = piece.size - self.offset
        if not piece.data or self.unread_bytes <= 0:
            self.behind = False
        else:
            # The hub reads and sends the next piece while this one is decoded and folded here.
            self._piece_request = self._client.send(b"read", str(self.offset).encode())
        return self._scanner.feed(piece.data)
