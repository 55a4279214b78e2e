"""What is added to logs while they are followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from itertools import islice

from virnucpro_bus.files.plain_files import open_plain_file
from virnucpro_bus.logs.find import Log

MAX_OPEN = 64
"""Of the logs that were found last, so many are followed at once."""
_PIECE_BYTES = 1 << 16


class Follower:
    """Reads logs as they grow, each from its beginning. Not thread-safe.

    It keeps them open: so it reads the whole of one that is shortened meanwhile.
    """

    def __init__(self, find: Callable[[], Sequence[Log]]) -> None:
        """`find` returns the logs to be followed, as often as it is asked."""
        self._find = find
        self._known: set[str] = set()
        self._open: dict[str, tuple[Log, BufferedReader]] = {}

    def read(self) -> Iterator[tuple[Log, bytes]]:
        """Yield what was added since the last call, in pieces."""
        for log in self._find():
            self._take(log)
        for log, file in list(self._open.values()):
            while piece := file.read(_PIECE_BYTES):
                yield log, piece
        for path in list(islice(self._open, max(0, len(self._open) - MAX_OPEN))):
            self._open.pop(path)[1].close()

    def close(self) -> None:
        """Close all logs. Safe to call twice."""
        for _, file in self._open.values():
            file.close()
        self._open.clear()

    def _take(self, log: Log) -> None:
        if log.path.name in self._known:
            return
        self._known.add(log.path.name)
        try:
            self._open[log.path.name] = (log, open_plain_file(log.path))
        except OSError:
            pass  # it was removed meanwhile
