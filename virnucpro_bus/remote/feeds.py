"""What a relay serves: the capture of a live run, or one that is played again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from virnucpro_bus.capture.records import HEADER, MAGIC, VERSION, pack_record
from virnucpro_bus.errors import AddressError
from virnucpro_bus.run_folder import CAPTURE_NAME, read_addresses


class LiveCapture:
    """The capture that the hub of a run folder is writing, to be read. One thread."""

    def __init__(self, run_dir: Path) -> None:
        """Raises AddressError when no hub is alive there."""
        addresses = read_addresses(run_dir)
        self.run, self.host = addresses.run, addresses.host
        self._run_dir = run_dir
        try:
            # Held open: it stays what it is when a compressed one takes its name.
            self._fd = os.open(run_dir / CAPTURE_NAME, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise AddressError(f"{run_dir / CAPTURE_NAME}: cannot be read: {error.strerror}") from None

    @property
    def size_bytes(self) -> int:
        """See Recorded."""
        return os.fstat(self._fd).st_size

    def read(self, offset: int, limit: int) -> bytes:
        """See Recorded."""
        return os.pread(self._fd, limit, offset)

    @property
    def over(self) -> bool:
        """Whether the hub has gone, so that nothing more will come."""
        try:
            return read_addresses(self._run_dir).run != self.run
        except AddressError:
            return True

    def close(self) -> None:
        os.close(self._fd)


class PlayedCapture:
    """Frames that are put into a capture again, one after the other, in a file without a name. One thread."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="virnucpro-bus-")  # noqa: SIM115 - closed by `close`
        self.size_bytes = self._file.write(HEADER.pack(MAGIC, VERSION, 0))
        self._file.flush()

    def append(self, frames: Iterable[bytes], received_ns: int) -> None:
        """From now on these can be read too. Raises OSError when the disk is full."""
        self.size_bytes += self._file.write(b"".join(pack_record(frame, received_ns) for frame in frames))
        self._file.flush()

    def read(self, offset: int, limit: int) -> bytes:
        """See Recorded."""
        return os.pread(self._file.fileno(), limit, offset)

    def close(self) -> None:
        self._file.close()
