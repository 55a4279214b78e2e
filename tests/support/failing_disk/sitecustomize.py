"""Python imports this before anything else: no capture can grow while the file DISK_FAILS names is there.

Its content is the number of the error, and the size in bytes up to which a capture may grow.
"""

import os

from virnucpro_bus.files.disk import Disk

_write = Disk.write


def _write_unless_failing(self: Disk, descriptor: int, data: bytes | memoryview) -> int:
    try:
        with open(os.environ["DISK_FAILS"], encoding="ascii") as file:
            number, limit_bytes = map(int, file.read().split())
    except FileNotFoundError:
        return _write(self, descriptor, data)
    if room := max(0, limit_bytes - os.fstat(descriptor).st_size):
        return _write(self, descriptor, data[:room])
    raise OSError(number, os.strerror(number))


Disk.write = _write_unless_failing  # type: ignore[method-assign]
