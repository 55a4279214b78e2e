"""The history of a bus, for those who join late: what is asked of it, and what is answered. Pure but for reading.

    hello            -> HelloReply as MessagePack
    snapshot         -> offset, a fold of all that stands before it (empty: there is none)
    read, offset     -> offset, size, bytes of the capture from there on

Offset and size are decimal text. Hub and relay put a request id before question and answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from virnucpro_bus.capture.records import RecordScanner
from virnucpro_bus.clock import Clock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.history.protocol import MAX_SNAPSHOT_BYTES, HelloReply, ReadableCapture, is_offset


class HistoryServer:
    """Answers questions about one capture. One thread."""

    def __init__(
        self, recorded: ReadableCapture, hello: Callable[[], HelloReply], clock: Clock, piece_bytes: int = 1 << 20
    ) -> None:
        """`piece_bytes` is the most that one answer holds."""
        self._recorded = recorded
        self._hello = hello
        self._piece_bytes = piece_bytes
        self._standing = IncrementalFold(recorded.read, clock)

    def advance_fold(self) -> None:
        """Bring the fold behind the snapshots a little further; takes a few milliseconds at most."""
        self._standing.advance(1 << 18)

    def answer(self, question: Sequence[bytes]) -> list[bytes] | None:
        """None: that is not a question."""
        match question:
            case [b"hello"]:
                return [msgspec.msgpack.encode(self._hello())]
            case [b"snapshot"]:
                self.advance_fold()
                offset, snapshot = self._standing.snapshot()
                if len(snapshot) > MAX_SNAPSHOT_BYTES:
                    offset, snapshot = 0, b""
                return [str(offset).encode(), snapshot]
            case [b"read", offset] if is_offset(offset):
                data = self._recorded.read(int(offset), self._piece_bytes)
                return [offset, str(self._recorded.size_bytes).encode(), data]
        return None


class IncrementalFold:
    """Answers those who join late: take over this fold, and read on from there. One thread; waits for nothing."""

    def __init__(self, read: Callable[[int, int], bytes], clock: Clock) -> None:
        """`read(offset, limit)` gives up to `limit` bytes of the capture, as CaptureWriter.read does."""
        self._read = read
        self._fleet = FleetState(clock)
        self._scanner = RecordScanner()
        self._read_bytes = 0

    def advance(self, limit_bytes: int) -> bool:
        """Fold the next piece of the capture, so many bytes at most. Returns whether there was anything."""
        data = self._read(self._read_bytes, limit_bytes)
        self._read_bytes += len(data)
        self._fleet.feed([record.frame for record in self._scanner.feed(data)])
        return bool(data)

    def snapshot(self) -> tuple[int, bytes]:
        """The fold, and the offset in the capture from which whoever takes it over must read on.

        There begins what is not folded yet; it may be the middle of a write, but never that of a record.
        """
        return self._read_bytes - self._scanner.incomplete_bytes, self._fleet.dump()
