"""The messages of the history socket: hello, snapshots and pieces of the capture.

    hello                -> HelloReply as MessagePack
    snapshot             -> snapshot's id, offset, its first bytes: a fold of everything before the offset
    snapshot, id, place  -> id, place, bytes of the snapshot from that place; none: that is its end
                            (id alone: the snapshot is no longer kept)
    read, offset         -> offset, size, bytes of the capture from that offset

Offset, place and size are in bytes, as decimal text. Hub and relay put a request id before request and answer.
Earlier versions answer "snapshot" with two parts, offset and fold; no version reads what another has folded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import msgspec

from virnucpro_bus.errors import SnapshotError
from virnucpro_bus.events.vocabulary import Count, Name, Text

WELCOME = b"hub/welcome"
"""Sent by the hub to each new subscriber, which receives every later event."""
PIECE_BYTES = 1 << 20
"""How much of a capture or of a snapshot is in one answer at most."""
MAX_ANSWER_BYTES = 32 << 20
"""The longest message that a viewer receives: a whole snapshot of an earlier version."""
_MAX_OFFSET_DIGITS = 18


class HelloReply(msgspec.Struct, frozen=True, array_like=True):
    """How a hub or a relay describes itself.

    `subscribe` is the address of live events; empty where they are read from the history as well (a relay).
    `events` is the number of events on record so far; 0 where they are not counted. `now_ns` is the time by the
    clock of the records; of a relay, which does not know that clock, by the wall clock of its machine.
    """

    run: Name
    host: Name
    subscribe: Text
    events: Count = 0
    now_ns: Count = 0


class Snapshot(NamedTuple):
    """A fold of everything before `offset` in the capture."""

    offset: int
    pieces: Iterator[bytes]
    """Its bytes, as `snapshot.format` makes them, cut anywhere."""


class SnapshotStart(NamedTuple):
    """The beginning of a snapshot that is kept at the other end."""

    id: bytes
    offset: int
    data: bytes
    """Its first bytes."""


class CapturePiece(NamedTuple):
    """Bytes of the capture from the requested offset, and the size of the whole capture in bytes."""

    size: int
    data: bytes


class ReadableCapture(Protocol):
    """The bytes of a capture that may still grow."""

    @property
    def size_bytes(self) -> int:
        """Current size in bytes."""
        ...

    @property
    def now_ns(self) -> int:
        """The time with which an event would be recorded now, as far as is known."""
        ...

    def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes from `offset`."""
        ...


def is_offset(text: bytes) -> bool:
    """Return whether `text` is an offset in a file, written in decimal digits."""
    return text.isdigit() and len(text) <= _MAX_OFFSET_DIGITS


# Made here, once: two threads that make decoders of one type at the same time can crash in msgspec.
_decode_hello = msgspec.msgpack.Decoder(HelloReply).decode


def parse_hello(answer: list[bytes]) -> HelloReply:
    """Decode the answer to "hello". Raises msgspec.DecodeError for anything else."""
    return _decode_hello(b"".join(answer))


def parse_snapshot(answer: list[bytes]) -> SnapshotStart | None:
    """Decode the answer to "snapshot"; None when it contains none that this version could read."""
    match answer:
        case [snapshot, offset, data] if data and is_offset(offset):
            return SnapshotStart(snapshot, int(offset), data)
    return None


def snapshot_request(snapshot: bytes, place: int) -> tuple[bytes, ...]:
    """Return the request for what follows in a snapshot."""
    return b"snapshot", snapshot, str(place).encode()


def parse_snapshot_piece(answer: list[bytes], request: tuple[bytes, ...]) -> bytes:
    """Decode the answer to this `snapshot_request`. Raises SnapshotError when the snapshot is no longer kept."""
    _, snapshot, place = request
    match answer:
        case [found, at, data] if (found, at) == (snapshot, place):
            return data
    raise SnapshotError("the snapshot is no longer kept")


def parse_piece(answer: list[bytes], offset: int) -> CapturePiece | None:
    """Decode the answer to "read" at `offset`; None when it answers another request."""
    match answer:
        case [at, size, data] if is_offset(size) and at == str(offset).encode():
            return CapturePiece(int(size), data)
    return None
