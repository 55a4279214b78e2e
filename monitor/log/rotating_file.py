"""A CSV file that is appended to for days, whatever becomes of it meanwhile: moved aside, replaced, cut off, full.

It is opened anew each time, so a folder that comes back or a file that was moved away is noticed. Lines go in by
one write at the end of the file, under a lock where there are locks, so several writers disturb each other
nowhere. What is moved aside is NAME.1, what was that before is NAME.2, and so on up to NAME.9, which goes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from threading import Event

from virnucpro_bus.errors import UserError
from virnucpro_bus.metrics_log_format import ROTATED_LOGS

_LOCK_TRIES = 1_000
_LOCK_PAUSE_SECONDS = 0.001
_OPEN_TRIES = 20
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class LogFile:
    """Takes lines. Holds nothing open between them. One thread."""

    def __init__(self, path: str, header: bytes, kind: bytes, rotate_bytes: int | None = None) -> None:
        """`header` is the first line, with its end; what begins with `kind` has had another version's header.

        A file that would become longer than `rotate_bytes` is moved aside first; None: it never is.
        """
        self._path = path
        self._header = header
        self._kind = kind
        self._rotate_bytes = rotate_bytes

    def append(self, lines: bytes) -> str | None:
        """Append whole lines, after the header in a new file. Returns what is wrong although they were written.

        Raises OSError when not all could be written, and then the file is as it was; UserError when what is there
        is not to be written to. Waits for nobody: not for a pipe's reader, for a lock no longer than 1 s.
        """
        file, alone = self._open()
        try:
            regular = stat.S_ISREG(os.fstat(file).st_mode)
            begins = os.pread(file, len(self._header), 0) if regular else b""
            if begins == self._header:
                return self._append_to_own(file, lines, alone)
            if self._header.startswith(begins):
                if begins:
                    os.ftruncate(file, 0)  # somebody was cut off in the middle of the header
                _write(file, self._header + lines)
                return None
            if not begins.startswith(self._kind):
                raise UserError("holds something else; give the log another name")
            if not alone:
                raise BlockingIOError(errno.EAGAIN, "another writer does not let go of it")
            try:
                self._move_aside()
            except OSError as error:
                raise UserError(f"has other columns and cannot be moved aside: {error.strerror}") from None
            self._begin(lines)
            return None
        finally:
            os.close(file)

    def _append_to_own(self, file: int, lines: bytes, alone: bool) -> str | None:
        size = os.fstat(file).st_size
        wrong = None
        too_long = self._rotate_bytes is not None and len(self._header) < size > self._rotate_bytes - len(lines)
        if too_long and alone:
            try:
                self._move_aside()
            except OSError as error:
                wrong = f"cannot be moved aside and goes on growing: {error.strerror}"
            else:
                self._begin(lines)
                return None
        if os.pread(file, 1, size - 1) != b"\n":
            # Somebody was cut off in the middle of a row: that row stays alone on its line.
            lines = b"\r\n" + lines
        _write(file, lines)
        return wrong

    def _begin(self, lines: bytes) -> None:
        """Append to the new file that has to be there now, unless another writer has begun one already."""
        file, _ = self._open()
        try:
            _write(file, lines if os.fstat(file).st_size else self._header + lines)
        finally:
            os.close(file)

    def _open(self) -> tuple[int, bool]:
        """Open it; also whether no other writer has it. Raises OSError, and UserError for what is no file."""
        for _ in range(_OPEN_TRIES):
            file = os.open(self._path, _FLAGS, 0o644)
            try:
                found = os.fstat(file)
                if not stat.S_ISREG(found.st_mode) and not stat.S_ISCHR(found.st_mode):
                    raise UserError("is no file; give the log another name")
                alone = _lock(file)
                # While we waited for the lock its holder may have moved the file aside.
                if os.path.samestat(found, os.stat(self._path)):
                    return file, alone
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(file)
                raise
            os.close(file)
        raise FileNotFoundError(None, "it is being replaced all the time")

    def _move_aside(self) -> None:
        """Raises OSError, and then nothing is lost."""
        # Behind a link it is the file that becomes too long, and its folder that has room for more.
        path = os.path.realpath(self._path)
        names = [path, *(f"{path}.{number}" for number in range(1, ROTATED_LOGS + 1))]
        free = next((number for number, name in enumerate(names) if not os.path.lexists(name)), ROTATED_LOGS)
        for number in range(free, 0, -1):
            os.rename(names[number - 1], names[number])


def _lock(file: int) -> bool:
    """Keep out other writers until the file is closed. False: one who stands still keeps us out."""
    pause = Event()
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pause.wait(_LOCK_PAUSE_SECONDS)
        except OSError:
            return True  # this file system knows no locks
        else:
            return True
    return False


def _write(file: int, data: bytes) -> None:
    """Append all of it. Raises OSError, and then the file is as it was."""
    size, written = os.fstat(file).st_size, 0
    try:
        while written < len(data):
            written += os.write(file, data[written:])
    except OSError:
        if written and os.fstat(file).st_size == size + written:
            os.ftruncate(file, size)
        raise
