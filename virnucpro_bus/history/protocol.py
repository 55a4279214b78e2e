"""What both ends of the history socket send: hello, snapshots, pieces of the capture."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec

MAX_SNAPSHOT_BYTES = 32 << 20
"""What is longer is not sent: whoever asks reads everything instead."""


class HelloReply(msgspec.Struct, frozen=True, array_like=True):
    """What a hub or a relay says of itself.

    `subscribe` is where live events come from; empty where they are read from the history too (a relay). `events`
    is how many are on record so far; 0 where nobody counts.
    """

    run: str
    host: str
    subscribe: str
    events: int = 0


class ReadableCapture(Protocol):
    """The bytes of a capture that may still grow."""

    @property
    def size_bytes(self) -> int:
        """Bytes so far."""
        ...

    def read(self, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes from `offset`."""
        ...


def is_offset(text: bytes) -> bool:
    """Whether it is the decimal text of a place in a file."""
    return text.isdigit() and len(text) < 19


WELCOME = b"hub/welcome"
"""Sent by the hub to each new subscriber, so that it knows from when on it hears everything."""


class Snapshot(NamedTuple):
    """A fold of all that stands before `offset` in the capture; see FleetState.load."""

    offset: int
    fold: bytes


class CapturePiece(NamedTuple):
    """Bytes of the capture from where they were asked for, and the size of the whole."""

    size: int
    data: bytes


def parse_hello(answer: list[bytes]) -> HelloReply:
    """What the answer to "hello" says. Raises msgspec.DecodeError when it is none."""
    return msgspec.msgpack.decode(b"".join(answer), type=HelloReply)


def parse_piece(answer: list[bytes], offset: int) -> CapturePiece | None:
    """What the answer to a question for the bytes at `offset` holds; None when it answers another question."""
    match answer:
        case [at, size, data] if is_offset(size) and at == str(offset).encode():
            return CapturePiece(int(size), data)
    return None


def parse_snapshot(answer: list[bytes]) -> Snapshot | None:
    """What the answer to "snapshot" holds; None when it holds none."""
    match answer:
        case [offset, fold] if fold and is_offset(offset):
            return Snapshot(int(offset), fold)
    return None
