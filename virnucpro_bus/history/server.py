"""Answers the requests of viewers, as `protocol.py` describes. Its only I/O is reading the capture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat

import msgspec

from virnucpro_bus.capture.records import RecordScanner
from virnucpro_bus.clock import Clock
from virnucpro_bus.events.codec import Foreign
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.history.kept_snapshot import KeptSnapshot
from virnucpro_bus.history.noted_events import NotedEvents
from virnucpro_bus.history.protocol import PIECE_BYTES, HelloReply, ReadableCapture, Snapshot, is_offset
from virnucpro_bus.snapshot.format import pack

SNAPSHOT_PIECE_BYTES = 1 << 18
"""Made in some milliseconds: a hub has other things to do."""
_FOLDED_BYTES_PER_STEP = 1 << 18
_NOTED_BYTES_AT_ONCE = 1 << 14
"""Noted events are folded when their records are so long: about a hundred."""


class HistoryServer:
    """Answers requests for the history of one capture. Not thread-safe."""

    def __init__(
        self,
        capture: ReadableCapture,
        hello: Callable[[], HelloReply],
        clock: Clock,
        piece_bytes: int = PIECE_BYTES,
        snapshot_piece_bytes: int = SNAPSHOT_PIECE_BYTES,
        fold: IncrementalFold | None = None,
    ) -> None:
        """`hello` returns the answer to "hello", without the time.

        `piece_bytes` limits the answer to "read", `snapshot_piece_bytes` that to "snapshot". `fold` is that of the
        capture; None: one of its own.
        """
        self._capture = capture
        self._hello = hello
        self._piece_bytes = piece_bytes
        self._fold = fold or IncrementalFold(capture.read, clock)
        self._snapshot = KeptSnapshot(self._fold.snapshot, clock, snapshot_piece_bytes)
        self.noted = self._fold.noted
        """Events of the capture that are decoded already, if its hub is in this process."""

    def answer(self, viewer: bytes, request: Sequence[bytes]) -> list[bytes] | None:
        """Return the answer to a viewer's request; None when it is unknown. No two viewers have the same name."""
        match request:
            case [b"hello"]:
                hello = msgspec.structs.replace(self._hello(), now_ns=self._capture.now_ns)
                return [msgspec.msgpack.encode(hello)]
            case [b"snapshot"]:
                self.advance_fold()
                return self._snapshot.start(viewer)
            case [b"snapshot", snapshot, place] if is_offset(place):
                return self._snapshot.piece(viewer, snapshot, place)
            case [b"read", offset] if is_offset(offset):
                data = self._capture.read(int(offset), self._piece_bytes)
                return [offset, str(self._capture.size_bytes).encode(), data]
        return None

    def fold_all(self, stopped: Callable[[], bool] = lambda: False) -> FleetState:
        """Fold what remains of the capture, and return the fold: of all that is on record.

        Or of less, if `stopped`, which is called every few milliseconds, has returned true.
        """
        self._snapshot.drop()
        return self._fold.advance_to_end(stopped)

    def advance_fold(self) -> None:
        """Fold the next piece of the capture, for later snapshots; takes a few milliseconds at most.

        The last few events wait for more: to fold each by itself costs twice as much. While a snapshot is made, it
        makes the next part of that instead: the fold must stay as it is.
        """
        self._snapshot.advance()
        if not (self._snapshot.is_unfinished or self._fold.lacks_little):
            self._fold.advance(_FOLDED_BYTES_PER_STEP)


class IncrementalFold:
    """The fold of a capture that grows, from which a late viewer continues. Never waits. Not thread-safe."""

    def __init__(self, read: Callable[[int, int], bytes], clock: Clock, fleet: FleetState | None = None) -> None:
        """`read(offset, limit)` returns up to `limit` bytes of the capture, as CaptureWriter.read does.

        `fleet`, which is empty, gets what is folded; None: one that reads `clock`.
        """
        self._read = read
        self._fleet = fleet or FleetState(clock)
        self._scanner = RecordScanner()
        self._read_bytes = 0
        self.noted = NotedEvents()
        """Events of the capture that are decoded already."""
        self.span_ns: tuple[int, int] | None = None
        """When the first and the last record was received that are folded; None: none is."""

    def advance(self, limit_bytes: int) -> bool:
        """Fold up to `limit_bytes` more of the capture; returns whether there was anything to fold.

        Events that are noted and come next are folded instead, without reading.
        """
        if self._fold_noted():
            return True
        data = self._read(self._read_bytes, limit_bytes)
        self._read_bytes += len(data)
        records = self._scanner.feed(data)
        if records:
            self._extend_span(records[0].received_ns, records[-1].received_ns)
        self._fleet.feed([record.frame for record in records], [record.received_ns for record in records])
        return bool(data)

    def advance_to_end(self, stopped: Callable[[], bool] = lambda: False) -> FleetState:
        """Fold all of the capture, or until `stopped()`, and return its fold, to be read only."""
        while not stopped() and self.advance(_FOLDED_BYTES_PER_STEP):
            pass
        return self._fleet

    @property
    def lacks_little(self) -> bool:
        """Whether all that is not folded yet are a few events, which are noted."""
        is_next = not self._scanner.incomplete_bytes and self.noted.begin_at(self._read_bytes)
        return is_next and self.noted.size_bytes < _NOTED_BYTES_AT_ONCE

    @property
    def offset(self) -> int:
        """Where in the capture the first record begins that is not folded yet. It may be incomplete so far."""
        return self._read_bytes - self._scanner.incomplete_bytes

    def _fold_noted(self) -> bool:
        if self._scanner.incomplete_bytes:
            return False
        envelopes: list[Envelope | Foreign] = []
        times: list[int] = []
        for noted, place in self.noted.take(self._read_bytes):
            envelopes += noted
            times += repeat(place.received_ns, len(noted))
            self._read_bytes = place.stop
        if not envelopes:
            return False
        self._extend_span(times[0], times[-1])
        self._fleet.feed_decoded(envelopes, times)
        return True

    def _extend_span(self, first_ns: int, last_ns: int) -> None:
        self.span_ns = first_ns if self.span_ns is None else self.span_ns[0], last_ns

    def snapshot(self) -> Snapshot:
        """Return the fold, and the offset in the capture from which a viewer that takes it over reads on.

        Nothing may be folded before the last piece of the snapshot is made.
        """
        return Snapshot(self.offset, pack(self._fleet.fold()))
