"""A CSV file for appending over days, whatever happens to it: it is moved, replaced or cut, or the disk is full.

It is opened again for each append, so a folder that returns or a file that was moved away is noticed. Lines are
appended in one write, under a lock where the file system has locks, so several writers do not disturb each other.
Rotation renames NAME to NAME.1, NAME.1 to NAME.2, and so on up to NAME.9, which is replaced.
"""

from __future__ import annotations

import errno
import os
import stat
import time

from virnucpro_bus.errors import UserError
from virnucpro_bus.files.locks import Lock, try_lock
from virnucpro_bus.metrics_log_format import ROTATED_LOGS

_LOCK_TRIES = 1_000
_LOCK_PAUSE_SECONDS = 0.001
_OPEN_TRIES = 20
"""How often the file is opened again because another process replaced it meanwhile."""
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class RotatingFile:
    """A CSV file that lines are appended to; it is closed between two appends. One thread."""

    def __init__(self, path: str, header: bytes, kind: bytes, rotate_bytes: int | None = None) -> None:
        """`header` is the first line with its end; a file that begins with `kind` has another version's header.

        A file that would become longer than `rotate_bytes` is rotated first; None: never.
        """
        self._path = path
        self._header = header
        self._kind = kind
        self._rotate_bytes = rotate_bytes

    def append(self, lines: bytes) -> str | None:
        """Append whole lines, after the header in a new file. Returns a warning if rotation failed, else None.

        Raises OSError when not all could be written: the file is then as before. Raises UserError when the path is
        something that must not be written to. Never blocks on a pipe's reader, and on a lock at most 1 s.
        """
        file, is_alone = self._open()
        try:
            regular = stat.S_ISREG(os.fstat(file).st_mode)
            start = os.pread(file, len(self._header), 0) if regular else b""
            if start == self._header:
                return self._append_below_header(file, lines, is_alone)
            if self._header.startswith(start):
                if start:
                    os.ftruncate(file, 0)  # a writer was killed in the middle of the header
                _write(file, self._header + lines)
                return None
            if not start.startswith(self._kind):
                raise UserError("is not a metrics log; give the log another name")
            if not is_alone:
                raise BlockingIOError(errno.EAGAIN, "another process keeps it locked")
            try:
                self._rotate()
            except OSError as error:
                raise UserError(f"has other columns and cannot be moved aside: {error.strerror}") from None
            self._append_to_new(lines)
            return None
        finally:
            os.close(file)

    def _append_below_header(self, file: int, lines: bytes, is_alone: bool) -> str | None:
        size = os.fstat(file).st_size
        warning = None
        too_long = self._rotate_bytes is not None and len(self._header) < size > self._rotate_bytes - len(lines)
        if too_long and is_alone:
            try:
                self._rotate()
            except OSError as error:
                warning = f"cannot be moved aside and keeps growing: {error.strerror}"
            else:
                self._append_to_new(lines)
                return None
        if os.pread(file, 1, size - 1) != b"\n":
            # A writer was killed in the middle of a row: that row keeps its line to itself.
            lines = b"\r\n" + lines
        _write(file, lines)
        return warning

    def _append_to_new(self, lines: bytes) -> None:
        """Append to the file that replaces a rotated one; with the header, unless another writer has begun it."""
        file, _ = self._open()
        try:
            _write(file, lines if os.fstat(file).st_size else self._header + lines)
        finally:
            os.close(file)

    def _open(self) -> tuple[int, bool]:
        """Open and lock the file; False: it is open but another writer has the lock.

        Raises OSError, and UserError when the path is something else than a file.
        """
        for _ in range(_OPEN_TRIES):
            file = os.open(self._path, _FLAGS, 0o644)
            try:
                found = os.fstat(file)
                if not stat.S_ISREG(found.st_mode) and not stat.S_ISCHR(found.st_mode):
                    raise UserError("is not a file; give the log another name")
                is_alone = _lock(file)
                # During the wait for the lock its holder may have rotated the file.
                if os.path.samestat(found, os.stat(self._path)):
                    return file, is_alone
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(file)
                raise
            os.close(file)
        raise FileNotFoundError(None, "another process keeps replacing it")

    def _rotate(self) -> None:
        """Move the file aside. Raises OSError; nothing is lost then."""
        # Behind a link it is the linked file that becomes too long, and its folder that keeps the others.
        path = os.path.realpath(self._path)
        names = [path, *(f"{path}.{number}" for number in range(1, ROTATED_LOGS + 1))]
        free = next((number for number, name in enumerate(names) if not os.path.lexists(name)), ROTATED_LOGS)
        for number in range(free, 0, -1):
            os.rename(names[number - 1], names[number])


def _lock(file: int) -> bool:
    """Lock the file against other writers until it is closed. False: another process keeps the lock."""
    for _ in range(_LOCK_TRIES):
        if try_lock(file) is not Lock.HELD:
            return True  # or the file system has no locks
        time.sleep(_LOCK_PAUSE_SECONDS)
    return False


def _write(file: int, data: bytes) -> None:
    """Append all of `data`. Raises OSError; the file is then as before."""
    size, written = os.fstat(file).st_size, 0
    try:
        while written < len(data):
            written += os.write(file, data[written:])
    except OSError:
        if written and os.fstat(file).st_size == size + written:
            os.ftruncate(file, size)
        raise
