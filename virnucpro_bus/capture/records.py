"""The records of a capture: their form on disk, and the scanner that finds them in a damaged file.

    file   = header record*
    header = magic (8 bytes) version (u32) reserved (u32)                        little-endian throughout
    record = marker (4 bytes) crc (u32) length (u32) received_ns (u64) frame (length bytes)

`crc` is CRC-32 over length, received_ns and frame. Damage to a record, even to its length field, loses only that
record: the scanner searches for the next marker with a valid record, and counts what it skipped. In a file that is
made of false markers the search is bounded: it skips faster there, and may miss a record.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from zlib import crc32

from msgspec import Struct

from virnucpro_bus.events.codec import MAX_FRAME_BYTES

MAGIC = b"\x89VBUS\r\n\x1a"
VERSION = 1
"""Version of the format of the file."""
MARKER = b"\xf5\x9aVB"
HEADER = struct.Struct("<8sII")
RECORD = struct.Struct("<4sIIQ")
"""All of a record but its frame."""
CHUNK_BYTES = 1 << 20
"""How much of a capture is read and scanned at a time."""
_CHECKED = struct.Struct("<IQ")
_CHECKED_AT = 8
"""Where in a record begins what `crc` covers."""
_FUTILE_BYTES_AT_FIRST = 4 << 20
_FUTILE_BYTES_PER_BYTE = 16
"""How many bytes may be checked in vain, at first and for each byte that is fed. Real damage takes less than 2."""
_CANDIDATE_BYTES = 1 << 10
"""Looking at a marker costs as much as checking so many bytes."""


class Record(Struct, frozen=True, gc=False):
    """One captured frame, and when the hub received it (nanoseconds since 1970)."""

    received_ns: int
    frame: bytes


@dataclass(slots=True, eq=False)
class Place:
    """Where in the file the records that were appended together are, once they are written."""

    start: int
    stop: int
    """The first byte after them."""
    received_ns: int
    """The time in all of them."""
    is_written: bool = False
    """Whether the file holds all of them there. It never will if recording stops before they are flushed."""


def pack_record(frame: bytes, received_ns: int) -> bytes:
    """Return the bytes of a record that holds `frame`."""
    return pack_records((frame,), received_ns)[0]


def pack_records(frames: Iterable[bytes], received_ns: int) -> list[bytes]:
    """Return the records that hold `frames`, all of which were received at one time."""
    records: list[bytes] = []
    pack, keep = RECORD.pack, records.append
    begun: dict[int, int] = {}
    """What `crc` covers begins with length and time: it is computed once for all frames of one length."""
    for frame in frames:
        length = len(frame)
        try:
            crc = begun[length]
        except KeyError:
            crc = begun[length] = crc32(_CHECKED.pack(length, received_ns))
        keep(pack(MARKER, crc32(frame, crc), length, received_ns) + frame)
    return records


class RecordScanner:
    """Finds the records in a capture that is fed to it piece by piece, from a file or from the hub's history.

    Not thread-safe.
    """

    def __init__(self) -> None:
        self.damaged_places = 0
        """Stretches of bytes that were not valid records."""
        self.skipped_bytes = 0
        """Bytes in those places."""
        self._incomplete = b""
        self._started = False
        self._in_damage = False
        self._patience_bytes = _FUTILE_BYTES_AT_FIRST
        """How many more bytes may be checked in vain."""

    @property
    def incomplete_bytes(self) -> int:
        """Bytes at the end of what was fed that are not a whole record yet."""
        return len(self._incomplete)

    @property
    def is_cut_off(self) -> bool:
        """Whether what was fed ends in a damaged place, such as a last record that is not whole."""
        return self._in_damage

    def feed(self, data: bytes) -> list[Record]:
        """Add `data`; returns the records that are now complete."""
        self._patience_bytes += _FUTILE_BYTES_PER_BYTE * len(data)
        buffer = self._incomplete + data if self._incomplete else data
        if not self._started:
            if len(buffer) < HEADER.size:
                self._incomplete = buffer
                return []
            self._started = True
            if buffer.startswith(MAGIC):
                buffer = buffer[HEADER.size :]
        return self._scan(buffer, final=False)

    def finish(self) -> list[Record]:
        """Return the whole records in what is left, behind a damaged length field; no more bytes will come."""
        return self._scan(self._incomplete, final=True)

    def skip(self, size_bytes: int) -> list[Record]:
        """Leave a gap of `size_bytes` between what was fed and what will be fed. Returns what `finish` does."""
        records = self.finish()
        self.damaged_places += not self._in_damage
        self.skipped_bytes += size_bytes + len(self._incomplete)
        self._started = self._in_damage = True
        self._incomplete = b""
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
                    self._patience_bytes -= length
                elif not final:
                    break
            self.damaged_places += not self._in_damage
            self._in_damage = True
            self._patience_bytes -= _CANDIDATE_BYTES
            step = 1 if self._patience_bytes > 0 else MAX_FRAME_BYTES
            following = buffer.find(MARKER, position + step)
            # If no other marker follows, the last three bytes may be the beginning of one.
            skip_to = following if following >= 0 else max(position + 1, size - len(MARKER) + 1)
            self.skipped_bytes += skip_to - position
            position = skip_to
        self._incomplete = buffer[position:]
        return records
