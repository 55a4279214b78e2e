"""The capture: an append-only file of frames that can be read at any byte of truncation, without repair.

`records` says how it looks on disk, `compression` makes it small when it is complete. The times in it are the
hub's: the wall clock at the start of the capture, moved on by the monotonic clock, so they never jump. Where
recording had stopped for a while, a `capture.hole/` event says how much is missing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, Self

from virnucpro_bus.capture.records import (
    _CHUNK_BYTES,
    HEADER,
    MAGIC,
    RECORD,
    VERSION,
    RecordScanner,
    pack_record,
)
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import make_envelope
from virnucpro_bus.events.vocabulary import CaptureHole
from virnucpro_bus.system.disk import Disk

_FLUSH_BYTES = 1 << 18
_RETRY_NS = NANOSECONDS
_received_ns = attrgetter("received_ns")


class CaptureWriter:
    """Appends frames to a capture file, a new one or one that goes on. One thread.

    A write that fails (full disk) does not raise: recording stops, `problem` says why in one line, and the run
    goes on. It is tried again once a second; when it works, a `capture.hole/` event says what is missing.
    """

    def __init__(
        self, path: Path, clock: Clock, run: str = "", *, disk: Disk | None = None, go_on: bool = False
    ) -> None:
        """Create `path`. Raises FileExistsError when it is there: a capture is never overwritten.

        `run` is named in the events that the capture itself adds. `go_on`: append to the one that is there, which
        is not compressed; what is torn at its end is cut off.
        """
        self.path = path
        self.problem: str | None = None
        """Why nothing is being recorded; None while all is well."""
        self.unrecorded_frames = 0
        """Frames that were not recorded, since the beginning."""
        self._clock = clock
        self._disk = disk or Disk()
        self._run = run
        before = _what_is_in(path) if go_on else _Before()
        whole_bytes = before.size_bytes
        self.frames_before = before.frames
        """Frames that were recorded already, before it went on."""
        self._epoch = max(clock.wall_ns(), before.last_ns)
        self._start_ns = self._epoch - clock.mono_ns()
        self._records: list[bytes] = []
        self._pending_bytes = 0
        self._written_bytes = 0
        self._holes = self._hole_frames = self._hole_bytes = 0
        self._retry_ns: int | None = 0
        """When to try again, on the monotonic clock; None: never."""
        self._told: str | None = None
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | (0 if go_on else os.O_CREAT | os.O_EXCL)
        self._fd = os.open(path, flags, 0o644)
        if go_on:
            self._disk.truncate(self._fd, whole_bytes)
            self._written_bytes = whole_bytes
        if not whole_bytes:
            self._write([HEADER.pack(MAGIC, VERSION, 0)])
            self.sync()  # so that, whatever is left of it one day, it is known to be a capture

    def append(self, frames: Iterable[bytes]) -> None:
        """Append frames that have come in just now. They reach the file at the next `flush`, or when many wait."""
        if self.problem is not None and not self._goes_on():
            self._miss([len(frame) for frame in frames])
            return
        received_ns = self._start_ns + self._clock.mono_ns()
        records = [pack_record(frame, received_ns) for frame in frames]
        self._records += records
        self._pending_bytes += sum(map(len, records))
        if self._pending_bytes >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand everything appended so far to the operating system; also the time to try again after a failure."""
        if self.problem is not None:
            self._goes_on()
        elif self._records:
            records, self._records, self._pending_bytes = self._records, [], 0
            self._miss([len(record) - RECORD.size for record in records[self._write(records) :]])

    def _write(self, parts: list[bytes]) -> int:
        """Write `parts`, each whole or not at all; returns how many are in the file now."""
        data, written = memoryview(b"".join(parts)), 0
        try:
            while written < len(data):
                written += self._disk.write(self._fd, data[written:])
        except OSError as error:
            self._stop(error, self._clock.mono_ns() + _RETRY_NS)
        else:
            self._written_bytes += written
            return len(parts)
        whole = whole_bytes = 0
        for part in parts:
            if whole_bytes + len(part) > written:
                break
            whole, whole_bytes = whole + 1, whole_bytes + len(part)
        try:
            self._disk.truncate(self._fd, self._written_bytes + whole_bytes)
        except OSError:
            whole_bytes = written  # the reader passes over it
        self._written_bytes += whole_bytes
        return whole

    def _stop(self, error: OSError, retry_ns: int | None) -> None:
        self.problem = f"{self.path}: recording has stopped: {error.strerror}"
        self._retry_ns = retry_ns

    def _miss(self, frame_lengths: list[int]) -> None:
        self._hole_frames += len(frame_lengths)
        self._hole_bytes += sum(frame_lengths)
        self.unrecorded_frames += len(frame_lengths)

    def _goes_on(self, at_last: bool = False) -> bool:
        """Try again where it is time to (or `at_last`): mark the hole; returns whether recording works again."""
        now_ns = self._clock.mono_ns()
        if self._retry_ns is None or not (at_last or now_ns >= self._retry_ns):
            return False
        self._retry_ns = now_ns + _RETRY_NS
        # What is left of the last block of a full disk holds the mark and nothing after it.
        if not at_last and not self._has_room():
            return False
        parts = [] if self._written_bytes else [HEADER.pack(MAGIC, VERSION, 0)]
        if self._hole_frames:
            parts.append(self._hole_record(now_ns))
        if self._write(parts) < len(parts):
            return False
        self._holes += self._hole_frames > 0
        self._hole_frames = self._hole_bytes = 0
        self.problem = None
        return True

    def _has_room(self) -> bool:
        try:
            status = os.fstatvfs(self._fd)
        except OSError:
            return False
        return status.f_bavail * status.f_frsize >= _FLUSH_BYTES

    def _hole_record(self, now_ns: int) -> bytes:
        marked = make_envelope(
            CaptureHole(self._hole_frames, self._hole_bytes),
            run=self._run,
            host=socket.gethostname(),
            source="capture",
            epoch=self._epoch,
            seq=self._holes + 1,
            wall_ns=self._clock.wall_ns(),
            mono_ns=now_ns,
        )
        return pack_record(encode(marked), self._start_ns + now_ns)

    def notice(self) -> str | None:
        """One line for the user when recording has stopped or goes on since the last call; None: nothing new."""
        if self.problem == self._told:
            return None
        self._told = self.problem
        return self.problem or f"{self.path}: recording goes on; {self.unrecorded_frames} events were not recorded"

    def sync(self) -> bool:
        """Flush, and wait until the disk has it. Returns False when it has not, or recording has stopped."""
        self.flush()
        if self.problem is None:
            try:
                self._disk.sync(self._fd)
            except OSError as error:
                # After a failed fsync nobody knows what is on disk; trying again would pretend to.
                self._stop(error, None)
        return self.problem is None

    @property
    def is_broken(self) -> bool:
        """Whether nothing will ever be recorded again: what the disk has is not known any more."""
        return self._retry_ns is None

    @property
    def size_bytes(self) -> int:
        """Bytes in the file so far."""
        return self._written_bytes

    def read(self, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes of the file from `offset`, for history."""
        return os.pread(self._fd, limit, offset)

    def close(self) -> None:
        """Flush, sync and close; a hole at the end is marked if there is room for the mark. Safe to call twice."""
        if self._fd >= 0:
            self.flush()
            if self.problem is not None:
                self._goes_on(at_last=True)
            self.sync()
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class _Before(NamedTuple):
    """What a plain capture holds: up to where whole records, when the last came in, and how many."""

    size_bytes: int = 0
    last_ns: int = 0
    frames: int = 0


def _what_is_in(path: Path) -> _Before:
    scanner, last_ns, size_bytes, frames = RecordScanner(), 0, 0, 0
    with path.open("rb") as file:
        while data := file.read(_CHUNK_BYTES):
            size_bytes += len(data)
            records = scanner.feed(data)
            frames += len(records)
            last_ns = max((last_ns, *map(_received_ns, records)))
    torn_bytes = scanner.waiting_bytes
    # Behind a damaged length field there may be whole records yet.
    if behind := scanner.finish():
        frames += len(behind)
        last_ns, torn_bytes = max((last_ns, *map(_received_ns, behind))), scanner.waiting_bytes
    return _Before(size_bytes - torn_bytes, last_ns, frames)
