"""The receiving end: everything that was and is on a bus, in one stream, whenever one joins.

It listens first and then reads the history, so nothing falls between the two; what comes twice, the fold ignores.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec
import zmq

from virnucpro_bus.capture import RecordScanner
from virnucpro_bus.clock import Clock
from virnucpro_bus.codec import MAX_FRAME_BYTES
from virnucpro_bus.errors import AddressError
from virnucpro_bus.hub import WELCOME, HelloReply
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
        """One question to the hub's history socket; answers to earlier questions are thrown away."""
        request_id = str(self._clock.mono_ns()).encode()
        self._history.send_multipart([request_id, *question])
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
        offset, size, data = self._ask(b"read", str(self._history_offset).encode())
        if int(offset) != self._history_offset:
            return []
        self._history_offset += len(data)
        if not data or self._history_offset >= int(size):
            self._behind = False
        return [record.frame for record in self._scanner.feed(data)]

    def close(self) -> None:
        self._context.destroy(linger=0)
