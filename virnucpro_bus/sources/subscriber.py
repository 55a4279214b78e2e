"""The receiving end: everything that was and is on a bus, in one stream, whenever one joins.

It listens first and then reads the history, so nothing falls between the two; what comes twice, the fold ignores.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import zmq

from virnucpro_bus.capture.records import RecordScanner
from virnucpro_bus.clock import Clock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.events.codec import MAX_FRAME_BYTES
from virnucpro_bus.history.client import ANSWER_SECONDS, HistoryClient
from virnucpro_bus.history.protocol import WELCOME, Snapshot, parse_hello, parse_piece, parse_snapshot
from virnucpro_bus.run_folder import read_addresses
from virnucpro_bus.sockets import HIGH_WATER_MARK, drain

FRAMES_PER_TURN = 20_000


class Subscriber:
    """Listens to one hub. One thread."""

    problem: str | None = None
    """Why nothing comes although the source goes on; a hub on this machine either lives or does not."""

    def __init__(self, address: str, clock: Clock, run_dir: Path | None = None) -> None:
        """Join the bus whose history is at `address`. Raises AddressError when nobody answers within 5 s.

        `run_dir` is the bus's run folder where it is on this machine: its lock tells whether the hub is alive.
        """
        self._clock = clock
        self._run_dir = run_dir
        self._place = run_dir or address
        self._next_piece: bytes | None = None
        """The id of a question for history that has been put already."""
        self._look_id: bytes | None = None
        """The id of the question that `look` waits for; None: it waits for none."""
        self.events_on_record = 0
        """How many events the hub had taken in when it was last looked at."""
        self._context = zmq.Context()
        self._questions = HistoryClient(self._context, clock)
        try:
            self._questions.socket.connect(address)
            self.hello = parse_hello(self._ask(b"hello"))
            self._live = self._context.socket(zmq.SUB)
            self._live.setsockopt(zmq.LINGER, 0)
            self._live.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
            self._live.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
            self._live.connect(self.hello.subscribe)
            self._live.subscribe(b"")
            # The welcome is the first thing the hub sends us; from then on everything reaches us.
            if not self._live.poll(int(ANSWER_SECONDS * 1000)):
                raise AddressError(f"{address}: the hub does not accept subscribers")
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise AddressError(f"{address}: not an address to listen to: {error}") from None
        except msgspec.DecodeError as error:
            self._context.destroy(linger=0)
            raise AddressError(f"{address}: what answers there is no hub: {error}") from None
        except AddressError:
            self._context.destroy(linger=0)
            raise
        self._scanner = RecordScanner()
        self.offset = 0
        """Up to where the history has been read, in the bytes of the capture."""
        self.unread_bytes = 0
        """How much was left to read after the last piece."""
        self._behind = True

    def _ask(self, *question: bytes) -> list[bytes]:
        """One question to the hub's history socket, and its answer."""
        # The answers to these would be thrown away while we wait for this one.
        self._next_piece = self._look_id = None
        return self._answer_to(self._questions.send(*question))

    def _answer_to(self, request_id: bytes) -> list[bytes]:
        try:
            return self._questions.wait_for(request_id)
        except AddressError as error:
            if self._run_dir is not None:
                read_addresses(self._run_dir)  # knows better what has become of the hub
            raise AddressError(f"{self._place}: {error}") from None

    def snapshot(self) -> Snapshot | None:
        """The hub's fold of what is on record; None when it has none. Raises AddressError."""
        return parse_snapshot(self._ask(b"snapshot"))

    def seek(self, offset: int) -> None:
        """Pass over the history before `offset`, which a snapshot stands for."""
        self.offset, self.unread_bytes = offset, 0
        self._next_piece, self._scanner = None, RecordScanner()

    def receive(self, timeout_seconds: float) -> tuple[list[bytes], int | None]:
        """A piece of history while there is some left to read, else live frames. See EventSource."""
        if self._behind:
            return self._read_history(), None
        if not self._live.poll(int(timeout_seconds * 1000)):
            return [], self._clock.mono_ns()
        frames = drain(self._live, FRAMES_PER_TURN)
        # The welcome comes again whenever the connection was lost and found.
        if WELCOME in frames:
            frames = [frame for frame in frames if frame != WELCOME]
            self._behind = self.offset > 0
        return frames, self._clock.mono_ns()

    def prove_alive(self) -> None:
        """Raises AddressError when the hub is no longer alive."""
        if self._run_dir is not None:
            read_addresses(self._run_dir)
        else:
            self._ask(b"hello")

    def poll_hub_count(self) -> None:
        """Bring `events_on_record` up to date with the last answer, and ask again; does not wait.

        The end of a stream that was lost shows in no sequence number: only the hub can tell of it.
        """
        if self._next_piece is not None:
            return  # what is under way is a piece of history
        try:
            while (taken := self._questions.poll()) is not None:
                request_id, reply = taken
                if request_id == self._look_id:
                    self._look_id = None
                    self.events_on_record = parse_hello(reply).events
            # One question at a time: a hub that stands still would have to answer them all.
            if self._look_id is None:
                self._look_id = self._questions.send(b"hello")
        except (zmq.Again, msgspec.DecodeError):
            pass  # no answer that tells us anything

    def resume_history(self) -> None:
        """Read the history on from where it was last read: for a viewer that has noticed a hole."""
        self._behind = True

    @property
    def behind(self) -> bool:
        """Whether there is history left to read."""
        return self._behind

    @property
    def ended(self) -> bool:
        """A live bus has no end of its own."""
        return False

    def _read_history(self) -> list[bytes]:
        request_id = self._next_piece or self._questions.send(b"read", str(self.offset).encode())
        self._next_piece = self._look_id = None
        piece = parse_piece(self._answer_to(request_id), self.offset)
        if piece is None:
            return []
        self.offset += len(piece.data)
        self.unread_bytes = piece.size - self.offset
        if not piece.data or self.unread_bytes <= 0:
            self._behind = False
        else:
            # The hub reads and sends the next piece while this one is decoded and folded here.
            self._next_piece = self._questions.send(b"read", str(self.offset).encode())
        return [record.frame for record in self._scanner.feed(piece.data)]

    def close(self) -> None:
        self._context.destroy(linger=0)
