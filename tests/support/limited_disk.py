"""Disks with little room: one for unit tests, and one for the processes of a lab."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from tests.support.lab import Lab
from virnucpro_bus.files.disk import Disk

_FAILING_DISK = Path(__file__).with_name("failing_disk")


class LimitedDisk(Disk):
    """A disk on which no file grows beyond `limit_bytes` (None: no limit)."""

    def __init__(self, limit_bytes: int | None = None, error: int = errno.ENOSPC) -> None:
        self.limit_bytes = limit_bytes
        self.error = error

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        if self.limit_bytes is not None:
            data = memoryview(data)[: max(0, self.limit_bytes - os.fstat(descriptor).st_size)]
            if not data:
                raise OSError(self.error, os.strerror(self.error))
        return super().write(descriptor, data)


class LabDisk:
    """The disk of a lab: fails for captures, in the processes started with its `environment`."""

    def __init__(self, lab: Lab) -> None:
        self._file = lab.folder / "disk-fails"
        self.environment = {"PYTHONPATH": str(_FAILING_DISK), "DISK_FAILS": str(self._file)}

    def fail(self, error: int, limit_bytes: int = 0) -> None:
        """From now on every write fails with this error, where a capture would grow beyond `limit_bytes`."""
        draft = self._file.with_suffix(".draft")
        draft.write_text(f"{error} {limit_bytes}")
        draft.rename(self._file)

    def work_again(self) -> None:
        self._file.unlink()
