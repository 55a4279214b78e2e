"""Where an attempt prints: descriptors 1 and 2 lead to its own log while it lasts, and then where they did before.

So what C libraries and child processes print is in the log too, and is there when the worker is killed. A log is
made before it is known whether anything will be printed. One that is still empty when its attempt ends gets the
name of the next attempt's: those that print nothing cost a rename each, and leave nothing.

A process that an attempt leaves behind keeps its log; if nothing was in that by then, it is also the next one's.
Another thread bounds what is written (`log_bound.py`).
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from virnucpro_bus.logs.log_bound import LogBound
from virnucpro_bus.logs.names import log_name
from virnucpro_bus.run_folder import LOG_FOLDER

_STREAMS = (1, 2)
_IN_USE = threading.Lock()
"""Held while an attempt has the streams, which belong to the process: a worker of a Dask cluster can have sessions
of two runs at once."""
_libc = ctypes.CDLL(None)
_AT_FDCWD, _RENAME_NOREPLACE = -100, 1


class AttemptLogs:
    """The logs of the attempts of one worker, one at a time, whose size it bounds. For the job's thread only."""

    def __init__(self, own_log: str | None = None) -> None:
        """`own_log` is the path of the worker's own log, which is bounded as well; None: it has none."""
        self._own_log = own_log
        self._log: int | None = None
        """The descriptor of a log with nothing in it; None: there is none …"""
        self._path = ""
        """… and its path, or that of the log that is written now; "": there was none yet."""
        self._before: list[int] = []
        """Descriptors of where the streams lead outside attempts; empty before the first one."""
        self._bound = LogBound(self._growing)

    @contextmanager
    def of(self, run_dir: Path, file: str, attempt: int) -> Iterator[None]:
        """Have what is printed meanwhile go to the log of an attempt at a file, given by its id.

        Where there can be no log, it goes where it went before.
        """
        if not _IN_USE.acquire(blocking=False):
            yield
            return
        try:
            if not self._begin(run_dir, file, attempt):
                yield
                return
            try:
                yield
            finally:
                self._end()
        finally:
            _IN_USE.release()

    def close(self) -> None:
        """Remove the log that no attempt has printed into, and bound the others once more. Safe to call twice."""
        self._remove_empty()
        while self._before:
            os.close(self._before.pop())
        self._bound.close()

    def _growing(self) -> list[str]:
        return [path for path in (self._path, self._own_log) if path]

    def _remove_empty(self) -> None:
        if self._log is not None:
            os.close(self._log)
            self._log = None
            with suppress(OSError):
                os.unlink(self._path)

    def _begin(self, run_dir: Path, file: str, attempt: int) -> bool:
        """Have the streams lead to the attempt's log. Returns False if there can be none: nothing was changed."""
        try:
            log = self._open(run_dir, file, attempt)
            _flush()
            self._before = self._before or [os.dup(stream) for stream in _STREAMS]
        except OSError:
            return False  # the disk is full or gone, which the attempt will show, or the streams are closed
        for stream in _STREAMS:
            os.dup2(log, stream)
        return True

    def _end(self) -> None:
        assert self._log is not None
        _flush()
        for stream, descriptor in zip(_STREAMS, self._before, strict=True):
            os.dup2(descriptor, stream)
        if os.fstat(self._log).st_size:
            os.close(self._log)
            self._log = None
            self._bound.note_ended(self._path)

    def _open(self, run_dir: Path, file: str, attempt: int) -> int:
        """Return the descriptor of the attempt's log, with nothing in it. Raises OSError."""
        path = f"{run_dir}/{LOG_FOLDER}/{log_name(file, attempt)}"
        if self._log is not None and _rename_to_free(self._path, path):
            self._path = path
            return self._log
        path = _free_path(run_dir, file, attempt)
        if self._log is not None:
            try:
                os.rename(self._path, path)
            except OSError:
                self._remove_empty()  # it was removed meanwhile, say
        if self._log is None:
            with suppress(FileExistsError):
                os.mkdir(os.path.dirname(path))
            # To be read as well: the reason for a command's failure is in it.
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._log = os.open(path, flags, 0o666)
        self._path = path
        return self._log


def _rename_to_free(path: str, to: str) -> bool:
    """Rename a file if nothing has the other name; False: something has, or this system does not know such a call.

    To ask first takes half as long again, between two files of the worker.
    """
    try:
        rename = _libc.renameat2
    except AttributeError:
        return False
    names = os.fsencode(path), os.fsencode(to)
    failed: int = rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_NOREPLACE)
    return not failed


def _free_path(run_dir: Path, file: str, attempt: int) -> str:
    """Return the path of the attempt's log: the first of its names at which no log is that holds something."""
    folder = run_dir / LOG_FOLDER
    for repeat in count(1):
        path = f"{folder}/{log_name(file, attempt, repeat)}"
        try:
            if os.lstat(path).st_size == 0:
                break  # of a worker that was killed before it had printed anything
        except FileNotFoundError:
            break
    return path


def _flush() -> None:
    """Write what Python and the C library still hold of what was printed."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # a job may have closed or replaced it
            stream.flush()
    _libc.fflush(ctypes.c_void_p.in_dll(_libc, "stdout"))
