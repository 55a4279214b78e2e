"""The messages of the history socket: hello, snapshots and pieces of the capture.

    hello            -> HelloReply as MessagePack
    snapshot         -> offset, a fold of everything before it (empty: there is no snapshot)
    read, offset     -> offset, size, bytes of the capture from that offset

Offset and size are in bytes, as decimal text. Hub and relay put a request id before request and answer.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec

from virnucpro_bus.events.vocabulary import Count, Name, Text

WELCOME = b"hub/welcome"
"""Sent by the hub to each new subscriber, which receives every later event."""
MAX_SNAPSHOT_BYTES = 32 << 20
"""A longer snapshot is not sent: the viewer reads the whole capture instead."""
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
    """A fold of everything before `offset` in the capture, in the form that FleetState.load reads."""

    offset: int
    fold: bytes


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


def parse_snapshot(answer: list[bytes]) -> Snapshot | None:
    """Decode the answer to "snapshot"; None when it contains no snapshot."""
    match answer:
        case [offset, fold] if fold and is_offset(offset):
            return Snapshot(int(offset), fold)
    return None


def parse_piece(answer: list[bytes], offset: int) -> CapturePiece | None:
    """Decode the answer to "read" at `offset`; None when it answers another request."""
    match answer:
        case [at, size, data] if is_offset(size) and at == str(offset).encode():
            return CapturePiece(int(size), data)
    return None
