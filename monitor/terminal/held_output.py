"""What the program itself prints on a terminal while pictures stand there: held, and printed when they are gone.

For what goes through Python's standard streams: prints, warnings, tracebacks, and logging handlers, whether they
were made before or after. What other processes or C code write there stands until the next picture.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from collections.abc import Iterator
from typing import Any, TextIO, cast

PIECES_HELD = 20_000
"""Writes that are held at most, the newest; a print makes two."""


class HeldOutput:
    """Holds what is printed on `terminal`, a descriptor, from `start` to `release`. Both belong to one thread."""

    def __init__(self, terminal: int) -> None:
        self._terminal = os.fstat(terminal).st_rdev
        self._streams: list[tuple[str, _HeldStream]] = []
        self._pieces: deque[tuple[TextIO, str]] = deque(maxlen=PIECES_HELD)
        self._count = 0

    def hold(self, stream: TextIO, text: str) -> None:
        """Keep what was to be written to `stream`. Any thread."""
        self._count += 1
        self._pieces.append((stream, text))

    def start(self) -> None:
        """From now on nothing is printed on the terminal."""
        for name in ("stdout", "stderr"):
            stream: TextIO | None = getattr(sys, name)
            if stream is not None and self._is_on_terminal(stream):
                stream.flush()
                held = _HeldStream(stream, self)
                self._streams.append((name, held))
                setattr(sys, name, held)
                _redirect_logging(stream, held)

    def release(self) -> None:
        """Print what was held. Does nothing when nothing is."""
        streams, self._streams = self._streams, []
        for name, held in streams:
            # Whoever still has the stand-in writes through it.
            held.holder = None
            if getattr(sys, name) is held:
                setattr(sys, name, held.stream)
            _redirect_logging(held, held.stream)
        left_out = self._count - len(self._pieces)
        if left_out and streams:
            streams[-1][1].stream.write(f"({left_out} earlier pieces of output were not kept)\n")
        self._count = 0
        while self._pieces:
            stream, text = self._pieces.popleft()
            stream.write(text)
        for _, held in streams:
            held.stream.flush()

    def _is_on_terminal(self, stream: TextIO) -> bool:
        try:
            return stream.isatty() and os.fstat(stream.fileno()).st_rdev == self._terminal
        except (OSError, ValueError):  # it has no descriptor, or is closed
            return False


class _HeldStream:
    """Stands in for a standard stream; apart from what is written it is that stream."""

    def __init__(self, stream: TextIO, holder: HeldOutput) -> None:
        self.stream = stream
        self.rich_proxied_file = stream
        """By this name a Console finds the file to write to."""
        self.holder: HeldOutput | None = holder

    def write(self, text: str) -> int:
        """As the stream's own, but held."""
        holder = self.holder
        if holder is None:
            return self.stream.write(text)
        holder.hold(self.stream, text)
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """As the stream's own, but held."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _redirect_logging(old: object, new: object) -> None:
    """Have every handler that writes to `old` write to `new`."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):  # a logger that is only a placeholder has none
            if isinstance(handler, logging.StreamHandler) and handler.stream is old:
                handler.setStream(cast("TextIO", new))
