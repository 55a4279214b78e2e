"""Bounds the size of a log: the beginning and the end stay, and one line says how much was between them.

It is done in place, because other programs may hold the log open: they append, and so continue at its new end.
ext4 and XFS take a range out of a file at once. Elsewhere the end is copied forward, and what is printed in the
moment before the file is cut behind the copy is lost. Our own programs hold the file's lock meanwhile (flock), as
those do that read it as it grows (`follow.py`).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
from typing import NamedTuple

HEAD_BYTES = 1 << 18
TAIL_BYTES = 3 << 18
_BLOCK_BYTES = 4096
"""File systems take out whole blocks."""
MAX_LOG_BYTES = HEAD_BYTES + TAIL_BYTES + _BLOCK_BYTES
"""1 MiB, and less than a block."""
_LINE_BYTES = 1024
"""At most: of the line between the two. It replaces what the tail has of a line that it would begin within, unless
that is longer."""
_LINE = re.compile(rb"\n?\[(\d+) bytes left out\] *\n")
_ROUNDS = 8
"""So often what was printed while the end was copied is copied too."""
_COLLAPSE_RANGE = 8
_fallocate = ctypes.CDLL(None, use_errno=True).fallocate
_fallocate.argtypes = ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64


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
    """Leave out the middle of a log that is longer than `most_bytes`, which is MAX_LOG_BYTES at least.

    Returns whether it was too long. It still is if somebody reads it at this moment. Raises OSError.
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
    taken_out = (size - HEAD_BYTES - TAIL_BYTES) // _BLOCK_BYTES * _BLOCK_BYTES
    if _fallocate(log, _COLLAPSE_RANGE, HEAD_BYTES, taken_out):
        _copy_forward(log, HEAD_BYTES + taken_out, HEAD_BYTES)
    left_out = gap.left_out - gap.line_bytes + taken_out
    # The line counts what it replaces itself.
    least = len(gap_line(left_out + _LINE_BYTES, last_of_head))
    replaced = os.pread(log, _LINE_BYTES, HEAD_BYTES).find(b"\n", least - 1) + 1 or least
    line = gap_line(left_out + replaced, last_of_head)
    os.pwrite(log, line.rstrip(b"\n").ljust(replaced - 1) + b"\n", HEAD_BYTES)


def _copy_forward(log: int, end: int, start: int) -> None:
    """Take out what is between `start` and `end`, by a copy of what is behind that."""
    for _ in range(_ROUNDS):
        piece = os.pread(log, TAIL_BYTES + _BLOCK_BYTES, end)
        if not piece:
            break
        start += os.pwrite(log, piece, start)
        end += len(piece)
    os.ftruncate(log, start)
