"""Writes captures: append-only files of frames that are readable when cut off at any byte, without repair.

`records.py` declares the format on disk; `compression.py` compresses a capture when it is complete. The times in
it are the hub's: the wall clock at the start of the capture, advanced by the monotonic clock, so they never jump.
Where recording had stopped for a while, a `capture.hole/` event holds how much is missing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from virnucpro_bus.capture.past_records import PastRecords, scan_past_records
from virnucpro_bus.capture.records import HEADER, MAGIC, RECORD, VERSION, Place, pack_record, pack_records
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import CAPTURE_SOURCE, make_envelope
from virnucpro_bus.events.vocabulary import CaptureHole
from virnucpro_bus.files.disk import DISK_FULL, Disk

_FLUSH_BYTES = 1 << 18
"""Appended frames are written when they amount to this many bytes."""
_RETRY_NS = NANOSECONDS
"""Time between two attempts to write while the disk is full."""


class CaptureWriter:
    """Appends frames to a new or an existing capture file. Not thread-safe.

    A write that fails does not raise: recording stops, and `problem` holds the reason in one line. On a full disk
    the write is retried once a second; when it succeeds, the frames that had to be kept are written, and a
    `capture.hole/` event holds what is missing. Any other error lasts (a limit on file sizes, a disk that is
    read-only or fails): recording has stopped for good.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        run: str = "",
        *,
        host: str | None = None,
        disk: Disk | None = None,
        resume: bool = False,
    ) -> None:
        """Create `path`. Raises FileExistsError when it exists: a capture is never overwritten.

        `run` and `host` (None: this machine) are those of the events that the writer itself adds. `resume`: append
        to an existing, plain capture instead, without the incomplete record at its end. Raises other OSErrors when
        `path` cannot be opened.
        """
        self.path = path
        self.problem: str | None = None
        """Why recording has stopped; None while it works."""
        self.unrecorded_frames = 0
        """Frames that this writer was handed and did not record."""
        self._clock = clock
        self._disk = disk or Disk()
        self._run, self._host = run, host or socket.gethostname()
        past = scan_past_records(path) if resume else PastRecords()
        self._epoch = max(clock.wall_ns(), past.last_ns)
        self._start_ns = self._epoch - clock.mono_ns()
        self._records: list[bytes] = []
        self._to_keep: list[bytes] = []
        """Those of `_records` that must not be lost."""
        self._kept: list[bytes] = []
        """Records that could not be written, and must not be lost."""
        self._places: list[Place] = []
        """Those of `_records`."""
        self._pending_bytes = 0
        self._written_bytes = 0
        self._holes = self._hole_frames = self._hole_bytes = 0
        self._retry_ns: int | None = 0
        """When to retry, on the monotonic clock; None: never."""
        self._reported: str | None = None
        """The `problem` at the last `notice`."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | (0 if resume else os.O_CREAT | os.O_EXCL)
        self._fd = os.open(path, flags, 0o644)
        if resume:
            self._disk.truncate(self._fd, past.size_bytes)
            self._written_bytes = past.size_bytes
        if not past.size_bytes:
            self._write([HEADER.pack(MAGIC, VERSION, 0)])
            self.sync()  # so that, whatever a crash leaves of it, the file is recognised as a capture

    def append(self, frames: Iterable[bytes], *, keep: bool = False) -> Place:
        """Append frames received now. They reach the file at the next `flush`, or when many are pending.

        `keep`: while they cannot be written they are kept, and written when recording resumes, at another place
        than the one that is returned.
        """
        received_ns = self.now_ns
        records = pack_records(frames, received_ns)
        works = self.problem is None or self._try_to_resume()
        start = self._written_bytes + self._pending_bytes
        place = Place(start, start + sum(map(len, records)), received_ns)
        if not works:
            self._set_aside(records, records if keep else [])
            return place
        self._records += records
        self._places.append(place)
        if keep:
            self._to_keep += records
        self._pending_bytes = place.stop - self._written_bytes
        if self._pending_bytes >= _FLUSH_BYTES:
            self.flush()
        return place

    def flush(self) -> None:
        """Hand everything appended so far to the operating system, or retry after a failure when that is due."""
        if self.problem is not None:
            self._try_to_resume()
        elif self._records:
            records, self._records, self._pending_bytes = self._records, [], 0
            to_keep, self._to_keep = self._to_keep, []
            places, self._places = self._places, []
            unwritten = records[self._write(records) :]
            if unwritten:
                self._set_aside(unwritten, to_keep)
            else:
                for place in places:
                    place.is_written = True

    def notice(self) -> str | None:
        """Return a line for the user if recording stopped or resumed since the last call, else None."""
        if self.problem == self._reported:
            return None
        self._reported = self.problem
        if self.problem is not None:
            return self.problem
        return f"{self.path}: recording has resumed; {self.unrecorded_frames} events were not recorded"

    def sync(self) -> bool:
        """Flush, and wait until everything is on disk. Returns False when it is not, or recording has stopped."""
        self.flush()
        if self.problem is None:
            try:
                self._disk.sync(self._fd)
            except OSError as error:
                # After a failed fsync it is unknown what is on disk, and a second one would hide that.
                self._stop_recording(error, None)
        return self.problem is None

    @property
    def is_broken(self) -> bool:
        """Whether recording has stopped for good: the disk is not full, but fails or refuses to be written."""
        return self._retry_ns is None

    @property
    def size_bytes(self) -> int:
        """Bytes in the file so far."""
        return self._written_bytes

    @property
    def now_ns(self) -> int:
        """The time with which a frame would be recorded now: nanoseconds since 1970."""
        return self._start_ns + self._clock.mono_ns()

    def read(self, offset: int, limit: int) -> bytes:
        """Read up to `limit` bytes of the file from `offset`, for history."""
        return os.pread(self._fd, limit, offset)

    def close(self) -> None:
        """Flush, sync and close; a hole at the end is recorded if there is room for it. Safe to call twice."""
        if self._fd >= 0:
            self.flush()
            if self.problem is not None and not self._try_to_resume(closing=True):
                # There may still be room for the hole's event alone.
                self._count_missing(self._kept)
                self._kept.clear()
                self._try_to_resume(closing=True)
            self.sync()
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _write(self, parts: list[bytes]) -> int:
        """Write `parts`, each whole or not at all, and return how many. A failure stops recording."""
        data, written = memoryview(b"".join(parts)), 0
        try:
            while written < len(data):
                written += self._disk.write(self._fd, data[written:])
        except OSError as error:
            is_full = error.errno in DISK_FULL
            self._stop_recording(error, self._clock.mono_ns() + _RETRY_NS if is_full else None)
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
            whole_bytes = written  # a reader skips the rest of a record
        self._written_bytes += whole_bytes
        return whole

    def _stop_recording(self, error: OSError, retry_ns: int | None) -> None:
        self.problem = f"{self.path}: recording has stopped: {error.strerror}"
        self._retry_ns = retry_ns

    def _set_aside(self, records: list[bytes], to_keep: list[bytes]) -> None:
        """Keep those of the unwritten `records` that are in `to_keep`, and count the others as missing."""
        self.unrecorded_frames += len(records)
        kept = set(map(id, to_keep))
        self._kept += [record for record in records if id(record) in kept]
        self._count_missing([record for record in records if id(record) not in kept])

    def _count_missing(self, records: list[bytes]) -> None:
        self._hole_frames += len(records)
        self._hole_bytes += sum(len(record) - RECORD.size for record in records)

    def _try_to_resume(self, closing: bool = False) -> bool:
        """Retry when that is due, or when `closing`: write what was kept, and record the hole.

        Returns whether recording works again.
        """
        now_ns = self._clock.mono_ns()
        if self._retry_ns is None or not (closing or now_ns >= self._retry_ns):
            return False
        self._retry_ns = now_ns + _RETRY_NS
        # The last block of a full disk may have room for the hole's event, but for no frame after it.
        if not closing and not self._has_room():
            return False
        header = [] if self._written_bytes else [HEADER.pack(MAGIC, VERSION, 0)]
        hole = [self._hole_record(now_ns)] if self._hole_frames else []
        written = self._write([*header, *self._kept, *hole])
        kept = min(max(0, written - len(header)), len(self._kept))
        all_written = written == len(header) + len(self._kept) + len(hole)
        self.unrecorded_frames -= kept
        del self._kept[:kept]
        if not all_written:
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
        hole = make_envelope(
            CaptureHole(self._hole_frames, self._hole_bytes),
            run=self._run,
            host=self._host,
            source=CAPTURE_SOURCE,
            epoch=self._epoch,
            seq=self._holes + 1,
            wall_ns=self._clock.wall_ns(),
            mono_ns=now_ns,
        )
        return pack_record(encode(hole), self._start_ns + now_ns)
