"""The capture: an append-only file of frames that can be read at any byte of truncation, without repair.

    file   = header record*
    header = magic (8 bytes) version (u32) reserved (u32)                        little-endian throughout
    record = marker (4 bytes) crc (u32) length (u32) received_ns (u64) frame (length bytes)

`crc` is CRC-32 over length, received_ns and frame. `received_ns` is the hub's time: the wall clock at the start of
the capture, moved on by the monotonic clock, so it never jumps. A damaged record, its length field included, costs
itself: the reader looks for the next marker whose record checks out, and counts what it skipped.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self
from zlib import crc32

from msgspec import Struct

from virnucpro_bus.clock import Clock
from virnucpro_bus.codec import MAX_FRAME_BYTES
from virnucpro_bus.errors import CaptureError

MAGIC = b"\x89VBUS\r\n\x1a"
VERSION = 1
MARKER = b"\xf5\x9aVB"
HEADER = struct.Struct("<8sII")
_RECORD = struct.Struct("<4sIIQ")
_CHECKED = struct.Struct("<IQ")
_CHECKED_AT = 8
_CHUNK_BYTES = 1 << 20
_FLUSH_BYTES = 1 << 18


class Record(Struct, frozen=True, gc=False):
    """One captured frame and when the hub received it (nanoseconds since 1970)."""

    received_ns: int
    frame: bytes


class CaptureWriter:
    """Appends frames to a new capture file. One thread.

    A write that fails (full disk) does not raise: the capture stops, `problem` says why in one line, and the run
    goes on.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Create `path`. Raises FileExistsError when it is there: a capture is never overwritten."""
        self.path = path
        self.problem: str | None = None
        self._clock = clock
        self._start_ns = clock.wall_ns() - clock.mono_ns()
        self._parts: list[bytes] = [HEADER.pack(MAGIC, VERSION, 0)]
        self._pending_bytes = HEADER.size
        self._written_bytes = 0
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self.flush()

    def append(self, frames: Iterable[bytes]) -> None:
        """Append frames that have come in just now. They reach the file at the next `flush`, or when many wait."""
        received_ns = self._start_ns + self._clock.mono_ns()
        parts, pending = self._parts, 0
        for frame in frames:
            length = len(frame)
            crc = crc32(frame, crc32(_CHECKED.pack(length, received_ns)))
            parts.append(_RECORD.pack(MARKER, crc, length, received_ns))
            parts.append(frame)
            pending += _RECORD.size + length
        self._pending_bytes += pending
        if self._pending_bytes >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand everything appended so far to the operating system."""
        if not self._parts:
            return
        data = memoryview(b"".join(self._parts))
        self._parts.clear()
        self._pending_bytes = 0
        if self.problem is not None:
            return
        try:
            while data:
                written = os.write(self._fd, data)
                self._written_bytes += written
                data = data[written:]
        except OSError as error:
            self.problem = f"{self.path}: recording has stopped: {error.strerror}"

    def sync(self) -> None:
        """Flush, and wait until the disk has it."""
        self.flush()
        if self.problem is None:
            try:
                os.fsync(self._fd)
            except OSError as error:
                # After a failed fsync nobody knows what is on disk; trying again would pretend to.
                self.problem = f"{self.path}: recording has stopped: {error.strerror}"

    @property
    def size_bytes(self) -> int:
        """Bytes in the file so far."""
        return self._written_bytes

    def read(self, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes of the file from `offset`, for history."""
        return os.pread(self._fd, limit, offset)

    def close(self) -> None:
        """Flush, sync and close. Safe to call twice."""
        if self._fd >= 0:
            self.sync()
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


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

    def _scan(self, buffer: bytes, final: bool) -> list[Record]:
        records: list[Record] = []
        view = memoryview(buffer)
        position, size = 0, len(buffer)
        while size - position >= _RECORD.size:
            marker, crc, length, received_ns = _RECORD.unpack_from(buffer, position)
            stop = position + _RECORD.size + length
            if marker == MARKER and length <= MAX_FRAME_BYTES:
                if stop <= size:
                    if crc32(view[position + _CHECKED_AT : stop]) == crc:
                        records.append(Record(received_ns, buffer[position + _RECORD.size : stop]))
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


class CaptureReader:
    """Reads a capture file, also one that is being written. Raises CaptureError when it is not a capture."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scanner = RecordScanner()
        try:
            with path.open("rb") as file:
                header = file.read(HEADER.size)
        except OSError as error:
            raise CaptureError(f"{path}: cannot be read: {error.strerror}") from None
        if len(header) < HEADER.size and header == HEADER.pack(MAGIC, VERSION, 0)[: len(header)]:
            return  # cut within its header: it held nothing yet
        if header[:-4] == HEADER.pack(MAGIC, VERSION, 0)[:-4] or self._holds_a_record():
            return
        if header.startswith(MAGIC):
            raise CaptureError(f"{path}: was written by a newer version of virnucpro-bus than this one")
        raise CaptureError(f"{path}: is not a capture of virnucpro-bus")

    def batches(self) -> Iterator[list[Record]]:
        """The records in order, about a megabyte at a time; afterwards `scanner` tells of any damage."""
        self.scanner = RecordScanner()
        with self.path.open("rb") as file:
            while data := file.read(_CHUNK_BYTES):
                yield self.scanner.feed(data)
        yield self.scanner.finish()

    def __iter__(self) -> Iterator[Record]:
        for batch in self.batches():
            yield from batch

    def _holds_a_record(self) -> bool:
        """Whether the first megabyte holds a record of ours: then only the header is damaged."""
        with self.path.open("rb") as file:
            scanner = RecordScanner()
            return bool(scanner.feed(file.read(_CHUNK_BYTES)) or scanner.finish())
