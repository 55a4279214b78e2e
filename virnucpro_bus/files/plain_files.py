"""Reading a file that another process may have put there: only if it is one, and only as much as expected."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read_plain_file(path: Path, most_bytes: int) -> bytes:
    """Return the content of a file, or its first `most_bytes`; never waits, as for the writer of a pipe.

    Raises OSError, also for what is not a file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a file")
        return os.read(descriptor, min(status.st_size, most_bytes))
    finally:
        os.close(descriptor)
