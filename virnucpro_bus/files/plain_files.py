"""Reading a file that another process may have put there: only if it is one, and only as much as expected."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path


def open_plain_file(path: Path) -> BufferedReader:
    """Open a file; never waits, as for the writer of a pipe. Raises OSError, also for what is not a file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("it is not a file")
    return os.fdopen(descriptor, "rb")


def read_plain_file(path: Path, most_bytes: int) -> bytes:
    """Return the content of a file, or its first `most_bytes`. Raises OSError as `open_plain_file` does."""
    with open_plain_file(path) as file:
        return file.read(min(os.fstat(file.fileno()).st_size, most_bytes))


def stamp_of(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file is replaced or written: inode, size, last write; None: it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
