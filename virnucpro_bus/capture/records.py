"""The records of a capture: how they look on disk, and how they are found again in whatever is left of them.

    file   = header record*
    header = magic (8 bytes) version (u32) reserved (u32)                        little-endian throughout
    record = marker (4 bytes) crc (u32) length (u32) received_ns (u64) frame (length bytes)

`crc` is CRC-32 over length, received_ns and frame. A damaged record, its length field included, costs itself: the
scanner looks for the next marker whose record checks out, and counts what it skipped.
"""

from __future__ import annotations

import struct
from zlib import crc32

from msgspec import Struct

from virnucpro_bus.events.codec import MAX_FRAME_BYTES

_CHUNK_BYTES = 1 << 20

MAGIC = b"\x89VBUS\r\n\x1a"
VERSION = 1
MARKER = b"\xf5\x9aVB"
HEADER = struct.Struct("<8sII")
RECORD = struct.Struct("<4sIIQ")
_CHECKED = struct.Struct("<IQ")
_CHECKED_AT = 8


class Record(Struct, frozen=True, gc=False):
    """One captured frame and when the hub received it (nanoseconds since 1970)."""

    received_ns: int
    frame: bytes


def pack_record(frame: bytes, received_ns: int) -> bytes:
    """`frame` as it stands in a capture."""
    crc = crc32(frame, crc32(_CHECKED.pack(len(frame), received_ns)))
    return RECORD.pack(MARKER, crc, len(frame), received_ns) + frame


class RecordScanner:
    """Turns the bytes of a capture, fed piece by piece, into records; reads what the hub serves as history too."""

    def __init__(self) -> None:
        self.damaged_places = 0
        """Stretches of bytes that were not records."""
        self.skipped_bytes = 0
        self._rest = b""
        self._started = False
        self._in_damage = False

    @property
    def waiting_bytes(self) -> int:
        """Bytes at the end of what was fed that are not a whole record yet."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Record]:
        """Add `data`; returns the records that are complete now."""
        buffer = self._rest + data if self._rest else data
        if not self._started:
            if len(buffer) < HEADER.size:
                self._rest = buffer
                return []
            self._started = True
            if buffer.startswith(MAGIC):
                buffer = buffer[HEADER.size :]
        return self._scan(buffer, final=False)

    def finish(self) -> list[Record]:
        """No more bytes will come: look for whole records in what is left, behind a damaged length field."""
        return self._scan(self._rest, final=True)

    def skip(self, size_bytes: int) -> list[Record]:
        """Here `size_bytes` are missing: what is fed next does not go on with what was fed before."""
        records = self.finish()
        self.damaged_places += not self._in_damage
        self.skipped_bytes += size_bytes + len(self._rest)
        self._started = self._in_damage = True
        self._rest = b""
        return records

    def _scan(self, buffer: bytes, final: bool) -> list[Record]:
        records: list[Record] = []
        view = memoryview(buffer)
        position, size = 0, len(buffer)
        while size - position >= RECORD.size:
            marker, crc, length, received_ns = RECORD.unpack_from(buffer, position)
            stop = position + RECORD.size + length
            if marker == MARKER and length <= MAX_FRAME_BYTES:
                if stop <= size:
                    if crc32(view[position + _CHECKED_AT : stop]) == crc:
                        records.append(Record(received_ns, buffer[position + RECORD.size : stop]))
                        position = stop
                        self._in_damage = False
                        continue
                elif not final:
                    break
            self.damaged_places += not self._in_damage
            self._in_damage = True
            following = buffer.find(MARKER, position + 1)
            # Without another marker in sight, the last three bytes may still be the beginning of one.
            skip_to = following if following >= 0 else max(position + 1, size - len(MARKER) + 1)
            self.skipped_bytes += skip_to - position
            position = skip_to
        self._rest = buffer[position:]
        return records
