"""The history of a bus, for those who join late: what is asked of it, and what is answered. Pure but for reading.

    hello            -> HelloReply as MessagePack
    snapshot         -> offset, a fold of all that stands before it (empty: there is none)
    read, offset     -> offset, size, bytes of the capture from there on

Offset and size are decimal text. Hub and relay put a request id before question and answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from virnucpro_bus.clock import Clock
from virnucpro_bus.standing import StandingFold

LONGEST_SNAPSHOT_BYTES = 32 << 20
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


class Recorded(Protocol):
    """The bytes of a capture that may still grow."""

    @property
    def size_bytes(self) -> int:
        """Bytes so far."""
        ...

    def read(self, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes from `offset`."""
        ...


class History:
    """Answers questions about one capture. One thread."""

    def __init__(
        self, recorded: Recorded, hello: Callable[[], HelloReply], clock: Clock, piece_bytes: int = 1 << 20
    ) -> None:
        """`piece_bytes` is the most that one answer holds."""
        self._recorded = recorded
        self._hello = hello
        self._piece_bytes = piece_bytes
        self._standing = StandingFold(recorded.read, clock)

    def fold_on(self) -> None:
        """Bring the fold behind the snapshots a little further; takes a few milliseconds at most."""
        self._standing.advance(1 << 18)

    def answer(self, question: Sequence[bytes]) -> list[bytes] | None:
        """None: that is not a question."""
        match question:
            case [b"hello"]:
                return [msgspec.msgpack.encode(self._hello())]
            case [b"snapshot"]:
                self.fold_on()
                offset, snapshot = self._standing.snapshot()
                if len(snapshot) > LONGEST_SNAPSHOT_BYTES:
                    offset, snapshot = 0, b""
                return [str(offset).encode(), snapshot]
            case [b"read", offset] if is_offset(offset):
                data = self._recorded.read(int(offset), self._piece_bytes)
                return [offset, str(self._recorded.size_bytes).encode(), data]
        return None


def is_offset(text: bytes) -> bool:
    """Whether it is the decimal text of a place in a file."""
    return text.isdigit() and len(text) < 19
