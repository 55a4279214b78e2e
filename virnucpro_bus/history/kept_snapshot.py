"""The snapshot that a hub or a relay keeps while viewers read it, and makes as they do.

Viewers share it. One that is not read for some seconds is dropped, and a viewer that comes back to it reads the
capture instead: so the memory that it takes has a limit, however many viewers there are.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.history.protocol import Snapshot
from virnucpro_bus.system.memory import without_garbage_search

SHARED_NS = 60 * NANOSECONDS
"""Viewers share a snapshot that is being read until it is so old; then the next one gets a new one."""
KEPT_NS = 5 * NANOSECONDS
"""It is dropped when no piece of it was requested for this time."""


class KeptSnapshot:
    """Makes and keeps the last snapshot of one fold. Not thread-safe."""

    def __init__(self, take: Callable[[], Snapshot], clock: Clock, piece_bytes: int) -> None:
        """`take` begins a snapshot of the fold, which must not change while `is_unfinished`.

        `piece_bytes` is how much of it one answer holds at most, and so how much is made for it at once.
        """
        self._take = take
        self._clock = clock
        self._piece_bytes = piece_bytes
        self._id = b""
        self._offset = 0
        self._parts: Iterator[bytes] | None = None
        """Those that are not made yet; None: all are, or there is no snapshot."""
        self._made = bytearray()
        self._readers: set[bytes] = set()
        """The viewers that have begun to read it, and not come to its end."""
        self._began_ns = self._requested_ns = 0

    @property
    def is_unfinished(self) -> bool:
        """Whether parts of it are still to be made, and the fold must stay as it is."""
        return self._parts is not None

    def start(self, viewer: bytes) -> list[bytes]:
        """Return the answer to a viewer that wants a snapshot; its name is any that no other viewer has."""
        now_ns = self._clock.mono_ns()
        if not self._readers or now_ns - self._began_ns > SHARED_NS:
            self.drop()
            self._id, self._began_ns = secrets.token_hex(8).encode(), now_ns
            self._offset, self._parts = self._take()
        self._requested_ns = now_ns
        self._readers.add(viewer)
        return [self._id, str(self._offset).encode(), self._bytes(0)]

    def piece(self, viewer: bytes, snapshot: bytes, place: bytes) -> list[bytes]:
        """Return the answer to a viewer that reads on from a place, which is an offset."""
        if not self._id or snapshot != self._id:
            return [snapshot]
        self._requested_ns = self._clock.mono_ns()
        data = self._bytes(int(place))
        if not data:
            self._readers.discard(viewer)
        return [snapshot, place, data]

    def advance(self) -> None:
        """Make the next part, if any remains, and drop a snapshot that is no longer read."""
        if self._id and self._clock.mono_ns() - self._requested_ns > KEPT_NS:
            self.drop()
        self._make_part()

    def drop(self) -> None:
        """Forget the snapshot, so that the fold may change."""
        self._id, self._parts, self._readers, self._made = b"", None, set(), bytearray()

    def _bytes(self, place: int) -> bytes:
        while self._parts is not None and len(self._made) < place + self._piece_bytes:
            self._make_part()
        return bytes(self._made[place : place + self._piece_bytes])

    def _make_part(self) -> None:
        if self._parts is not None:
            with without_garbage_search():
                part = next(self._parts, None)
            if part is None:
                self._parts = None
            else:
                self._made += part
