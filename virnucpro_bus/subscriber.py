"""The receiving end: everything that was and is on a bus, in one stream, whenever one joins.

It listens first and then reads the history, so nothing falls between the two; what comes twice, the fold ignores.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec
import zmq

from virnucpro_bus.clock import Clock
from virnucpro_bus.codec import MAX_FRAME_BYTES
from virnucpro_bus.errors import AddressError
from virnucpro_bus.hub import WELCOME, HelloReply
from virnucpro_bus.records import RecordScanner
from virnucpro_bus.rundir import read_addresses
from virnucpro_bus.zmqio import HIGH_WATER_MARK, drain

FRAMES_PER_TURN = 20_000
ANSWER_SECONDS = 5.0


class EventSource(Protocol):
    """Where a viewer's frames come from: a live bus or a capture."""

    def receive(self, timeout_seconds: float) -> tuple[list[bytes], int | None]:
        """Frames that are due, waiting at most so long for the first.

        The number is when they came, on the clock that the viewer goes by; None when they are history.
        """
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        ...

    def close(self) -> None: ...


def history_address(target: str) -> str:
    """The history address of a run folder, or `target` itself when it is an address. Raises AddressError."""
    if "://" in target:
        return target
    folder = Path(target)
    if not folder.is_dir():
        raise AddressError(
            f"{target}: is neither a run folder nor an address such as ipc:///path or tcp://host:port"
        )
    return read_addresses(folder).history


class Subscriber:
    """Listens to one hub. One thread."""

    def __init__(self, address: str, clock: Clock, run_dir: Path | None = None) -> None:
        """Join the bus whose history is at `address`. Raises AddressError when nobody answers within 5 s.

        `run_dir` is the bus's run folder where it is on this machine: its lock tells whether the hub is alive.
        """
        self._clock = clock
        self._run_dir = run_dir
        self._next_piece: bytes | None = None
        """The id of a question for history that has been put already."""
        self._look_id = b""
        """The id of the question that `look` waits for; empty when it waits for none."""
        self.events_on_record = 0
        """How many events the hub had taken in when it was last looked at."""
        self._context = zmq.Context()
        try:
            self._history = self._connect(zmq.DEALER, address)
            reply = b"".join(self._ask(b"hello"))
            self.hello = msgspec.msgpack.decode(reply, type=HelloReply)
            self._live = self._connect(zmq.SUB, self.hello.subscribe)
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
        self._history_offset = 0
        self._behind = True

    def _connect(self, kind: int, address: str) -> zmq.Socket[bytes]:
        connected = self._context.socket(kind)
        connected.setsockopt(zmq.LINGER, 0)
        connected.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
        if kind == zmq.SUB:
            connected.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        connected.connect(address)
        return connected

    def _ask(self, *question: bytes) -> list[bytes]:
        """One question to the hub's history socket, and its answer."""
        self._next_piece = None  # its answer would be thrown away while we wait for this one
        return self._answer_to(self._put(*question))

    def _put(self, *question: bytes) -> bytes:
        """Send a question; returns its id."""
        request_id = str(self._clock.mono_ns()).encode()
        self._history.send_multipart([request_id, *question])
        return request_id

    def _answer_to(self, request_id: bytes) -> list[bytes]:
        """The answer to one question; answers to others are thrown away."""
        self._look_id = b""
        deadline_ns = self._clock.mono_ns() + int(ANSWER_SECONDS * 1e9)
        while (left_ns := deadline_ns - self._clock.mono_ns()) > 0:
            if self._history.poll(left_ns // 1_000_000 + 1):
                answer = self._history.recv_multipart()
                if answer[0] == request_id:
                    return answer[1:]
        raise AddressError("no hub answers there; is the run still going on?")

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
            self._behind = self._history_offset > 0
        return frames, self._clock.mono_ns()

    def prove_alive(self) -> None:
        """Raises AddressError when the hub is no longer alive."""
        if self._run_dir is not None:
            read_addresses(self._run_dir)
        else:
            self._ask(b"hello")

    def look(self) -> None:
        """Bring `events_on_record` up to date with the last answer, and ask again; does not wait.

        The end of a stream that was lost shows in no sequence number: only the hub can tell of it.
        """
        if self._next_piece is not None:
            return  # what is under way is a piece of history
        try:
            while True:
                request_id, *reply = self._history.recv_multipart(zmq.DONTWAIT)
                if request_id == self._look_id:
                    self._look_id = b""
                    self.events_on_record = msgspec.msgpack.decode(b"".join(reply), type=HelloReply).events
        except (zmq.Again, msgspec.DecodeError):
            pass  # no answer, or none that tells us anything
        # One question at a time: a hub that stands still would have to answer them all.
        if not self._look_id:
            self._look_id = self._put(b"hello")

    def catch_up(self) -> None:
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
        request_id = self._next_piece or self._put(b"read", str(self._history_offset).encode())
        self._next_piece = None
        offset, size, data = self._answer_to(request_id)
        if int(offset) != self._history_offset:
            return []
        self._history_offset += len(data)
        if not data or self._history_offset >= int(size):
            self._behind = False
        else:
            # The hub reads and sends the next piece while this one is decoded and folded here.
            self._next_piece = self._put(b"read", str(self._history_offset).encode())
        return [record.frame for record in self._scanner.feed(data)]

    def close(self) -> None:
        self._context.destroy(linger=0)


def join(target: str, clock: Clock) -> Subscriber:
    """Join the live bus of a run folder, or at a history address. Raises AddressError when there is none."""
    return Subscriber(history_address(target), clock, None if "://" in target else Path(target))
