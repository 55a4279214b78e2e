"""Bounds the size of a log: the beginning and the end stay, and one line says how much was between them.

It is done in place, because other programs may hold the log open: they append, and so continue at its new end.
What they print within the microseconds of the cut itself is lost. Our own programs hold the file's lock meanwhile
(flock), as those do that read it as it grows (`follow.py`).
"""

from __future__ import annotations

import fcntl
import os
import re
from typing import NamedTuple

HEAD_BYTES = 1 << 18
TAIL_BYTES = 3 << 18
_LINE_BYTES = 64
"""At most: of the line between the two."""
MAX_LOG_BYTES = HEAD_BYTES + TAIL_BYTES + _LINE_BYTES
"""1 MiB, and the line."""
_LINE = re.compile(rb"\n?\[(\d+) bytes left out\]\n")
_ROUNDS = 8
"""So often what was printed meanwhile is kept as well; a program that prints faster than that loses some."""


class Gap(NamedTuple):
    """What was left out of a log behind its first HEAD_BYTES."""

    left_out: int
    """In bytes; 0: nothing."""
    line_bytes: int
    """The length of the line that says so."""


def gap_of(log: int) -> Gap:
    """Return what was left out of an open log. Raises OSError."""
    found = _LINE.match(os.pread(log, _LINE_BYTES, HEAD_BYTES))
    return Gap(int(found[1]), found.end()) if found else Gap(0, 0)


def gap_line(left_out: int, before: bytes) -> bytes:
    """Return the line that stands for so many bytes, on a line of its own behind `before`."""
    return b"%s[%d bytes left out]\n" % (b"" if before.endswith(b"\n") else b"\n", left_out)


def shorten_log(path: str | os.PathLike[str], most_bytes: int = MAX_LOG_BYTES) -> bool:
    """Leave out the middle of a log that is longer than `most_bytes`, from HEAD_BYTES to the begin of a line.

    Returns whether it was too long. It still is if somebody reads it at this moment. `most_bytes` is MAX_LOG_BYTES
    at least. Raises OSError.
    """
    if os.lstat(path).st_size <= most_bytes:
        return False
    log = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if _is_ours(log):
            _shorten(log)
    finally:
        os.close(log)
    return True


def _is_ours(log: int) -> bool:
    """Whether nobody else holds the lock of a log, which this process holds now, where there are locks."""
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _shorten(log: int) -> None:
    size = os.fstat(log).st_size
    if size <= MAX_LOG_BYTES:
        return  # another process was faster
    gap, last_of_head = gap_of(log), os.pread(log, 1, HEAD_BYTES - 1)
    tail = os.pread(log, TAIL_BYTES, size - TAIL_BYTES)
    tail = tail[tail.find(b"\n") + 1 :] or tail
    left_out = gap.left_out + size - HEAD_BYTES - gap.line_bytes - len(tail)
    end = HEAD_BYTES + os.pwrite(log, gap_line(left_out, last_of_head) + tail, HEAD_BYTES)
    for _ in range(_ROUNDS):
        more = os.pread(log, TAIL_BYTES, size)
        if not more:
            break
        end += os.pwrite(log, more, end)
        size += len(more)
    os.ftruncate(log, end)
