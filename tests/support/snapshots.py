"""Folds as bytes: made, taken over, and taken apart to be changed.

from tests.support.snapshots import dumped, joined, parts_of, taken_over
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.snapshot.format import _DIGEST_BYTES, pack, unpack
from virnucpro_bus.snapshot.parts import COLLECTIONS

LENGTH = struct.Struct("<I")


def dumped(fleet: FleetState) -> bytes:
    """The fold of a fleet as bytes."""
    return b"".join(pack(fleet.fold()))


def load(fleet: FleetState, data: bytes) -> None:
    """Let a fleet take over a fold."""
    fleet.load(unpack([data]))


def parts_of(data: bytes) -> list[Any]:
    """What is in the parts of a snapshot, decoded: the fold, then (host, collection, content)."""
    found, position = [], _DIGEST_BYTES
    while length := LENGTH.unpack_from(data, position)[0]:
        position += LENGTH.size
        found.append(msgspec.msgpack.decode(data[position : position + length], strict=False))
        position += length
    return found


def joined(layout: bytes, parts: list[Any]) -> bytes:
    """A snapshot of these parts, with the layout of another one."""
    encoded = [*map(msgspec.msgpack.encode, parts), b""]
    return layout[:_DIGEST_BYTES] + b"".join(LENGTH.pack(len(part)) + part for part in encoded)


def content_of(parts: list[Any], path: str) -> Any:
    """What the first part holds of the collection at this path."""
    return next(content for _, which, content in parts[1:] if COLLECTIONS[which].path == path)
