"""Python imports this before anything else: no capture can be written while the file DISK_FAILS names is there.

Its content is the number of the error.
"""

import os

from virnucpro_bus.system.disk import Disk

_write = Disk.write


def _write_unless_failing(self: Disk, descriptor: int, data: bytes | memoryview) -> int:
    try:
        with open(os.environ["DISK_FAILS"], encoding="ascii") as file:
            number = int(file.read())
    except FileNotFoundError:
        return _write(self, descriptor, data)
    raise OSError(number, os.strerror(number))


Disk.write = _write_unless_failing  # type: ignore[method-assign]
