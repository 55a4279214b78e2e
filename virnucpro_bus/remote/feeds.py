"""The captures that a relay serves: that of a live run, or a recorded one that is replayed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from virnucpro_bus.capture.records import HEADER, MAGIC, VERSION, pack_record
from virnucpro_bus.clock import Clock
from virnucpro_bus.errors import AddressError, UserError
from virnucpro_bus.run_folder import CAPTURE_NAME, read_addresses


class LiveCapture:
    """A ReadableCapture that the hub of a run folder is still writing. Not thread-safe."""

    def __init__(self, run_dir: Path, clock: Clock) -> None:
        """Open it. Raises AddressError when there is no live hub in `run_dir`, or the capture cannot be read."""
        addresses = read_addresses(run_dir)
        self.run, self.host = addresses.run, addresses.host
        self._run_dir = run_dir
        self._clock = clock
        try:
            # Kept open: a compressed capture that replaces it changes nothing for readers of this one.
            self._fd = os.open(run_dir / CAPTURE_NAME, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise AddressError(f"{run_dir / CAPTURE_NAME}: cannot be read: {error.strerror}") from None

    @property
    def size_bytes(self) -> int:
        """See ReadableCapture."""
        return os.fstat(self._fd).st_size

    @property
    def now_ns(self) -> int:
        """See ReadableCapture: the wall-clock time, by which the hub's times began."""
        return self._clock.wall_ns()

    def read(self, offset: int, limit: int) -> bytes:
        """See ReadableCapture."""
        return os.pread(self._fd, limit, offset)

    @property
    def is_complete(self) -> bool:
        """Whether the hub has ended, so that nothing more will be appended."""
        try:
            return read_addresses(self._run_dir).run != self.run
        except AddressError:
            return True

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


class PlayedCapture:
    """A ReadableCapture in a file without a name, to which replayed frames are appended. Not thread-safe."""

    def __init__(self) -> None:
        """Create the file. Raises UserError where there is no place for it."""
        try:
            self._file = tempfile.TemporaryFile(prefix="virnucpro-bus-")  # noqa: SIM115 - closed by `close`
        except OSError as error:
            reason = error.strerror
            raise UserError(f"no temporary file can be made: {reason}; set TMPDIR to a folder with room") from None
        self.size_bytes = self._file.write(HEADER.pack(MAGIC, VERSION, 0))
        self.now_ns = 0
        """See ReadableCapture: when the last record was received."""
        self._file.flush()

    def append(self, frames: Sequence[bytes], received_ns: int | Sequence[int]) -> None:
        """Append records of `frames`, received at that time, or at these. Raises OSError when the disk is full."""
        times = [received_ns] * len(frames) if isinstance(received_ns, int) else received_ns
        self.size_bytes += self._file.write(b"".join(map(pack_record, frames, times)))
        self.now_ns = times[-1] if times else self.now_ns
        self._file.flush()

    def read(self, offset: int, limit: int) -> bytes:
        """See ReadableCapture."""
        return os.pread(self._file.fileno(), limit, offset)

    def close(self) -> None:
        """Delete the capture."""
        self._file.close()
