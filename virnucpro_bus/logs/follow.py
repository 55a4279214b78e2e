"""What is added to logs while they are followed, also to those that are shortened meanwhile."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BufferedReader
from itertools import islice

from virnucpro_bus.files.plain_files import open_plain_file
from virnucpro_bus.logs.find import Log
from virnucpro_bus.logs.shorten import HEAD_BYTES, gap_line, gap_of

MAX_OPEN = 64
"""Of the logs that were found last, so many are followed at once."""
_PIECE_BYTES = 1 << 16


class Follower:
    """Reads logs as they grow, each from its beginning. Not thread-safe.

    It keeps them open. What is left out of a log before it was read is a line that says how much that is.
    """

    def __init__(self, find: Callable[[], Sequence[Log]]) -> None:
        """`find` returns the logs to be followed, as often as it is asked."""
        self._find = find
        self._known: set[str] = set()
        self._open: dict[str, tuple[Log, _Reader]] = {}

    def read(self) -> Iterator[tuple[Log, bytes]]:
        """Yield what was added since the last call, in pieces. Raises OSError."""
        for log in self._find():
            self._take(log)
        for log, reader in list(self._open.values()):
            for piece in reader.read():
                yield log, piece
        for path in list(islice(self._open, max(0, len(self._open) - MAX_OPEN))):
            self._open.pop(path)[1].close()

    def close(self) -> None:
        """Close all logs. Safe to call twice."""
        for _, reader in self._open.values():
            reader.close()
        self._open.clear()

    def _take(self, log: Log) -> None:
        if log.path.name in self._known:
            return
        self._known.add(log.path.name)
        try:
            self._open[log.path.name] = (log, _Reader(open_plain_file(log.path)))
        except OSError:
            pass  # it was removed meanwhile


class _Reader:
    """Reads one log, and counts in the bytes that were printed, which stay the same when some are left out."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._printed = 0
        """How much of what was printed was read, or left out."""
        self._last = b"\n"

    def read(self) -> Iterator[bytes]:
        """Yield, in pieces, what is there now and was not read before. Raises OSError."""
        total = self._total()
        self._printed = min(self._printed, total)  # else its own programs have begun it anew
        while self._printed < total and (piece := self._read_piece()):
            self._last = piece
            yield piece

    def _total(self) -> int:
        """Return how much was printed."""
        log = self._file.fileno()
        with _locked(log):
            gap = gap_of(log)
            return os.fstat(log).st_size - gap.line_bytes + gap.left_out

    def _read_piece(self) -> bytes:
        log = self._file.fileno()
        with _locked(log):
            gap = gap_of(log)
            missed = HEAD_BYTES + gap.left_out - self._printed
            if self._printed < HEAD_BYTES:
                piece = os.pread(log, min(_PIECE_BYTES, HEAD_BYTES - self._printed), self._printed)
            elif missed > 0:
                self._printed += missed
                is_whole = missed == gap.left_out
                return os.pread(log, gap.line_bytes, HEAD_BYTES) if is_whole else gap_line(missed, self._last)
            else:
                piece = os.pread(log, _PIECE_BYTES, self._printed - gap.left_out + gap.line_bytes)
        self._printed += len(piece)
        return piece

    def close(self) -> None:
        self._file.close()


@contextmanager
def _locked(log: int) -> Iterator[None]:
    """Have a log not be shortened meanwhile, where there are locks."""
    with suppress(OSError):
        fcntl.flock(log, fcntl.LOCK_SH)
    try:
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(log, fcntl.LOCK_UN)
