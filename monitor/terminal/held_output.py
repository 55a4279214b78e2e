"""The program's own output while pictures are on the terminal: it is held, and printed when they are gone.

This covers Python's standard streams: prints, warnings, tracebacks, and logging handlers, whether they were made
before or after. What other processes or C code write is visible until the next picture.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from collections.abc import Iterator
from typing import Any, TextIO, cast

WRITES_HELD = 20_000
"""How many writes are held at most, the newest; a print makes two."""


class HeldOutput:
    """Holds what is printed on `terminal`, a descriptor, from `start` to `release`. Both belong to one thread."""

    def __init__(self, terminal: int) -> None:
        self._terminal = os.fstat(terminal).st_rdev
        self._streams: list[tuple[str, _HeldStream]] = []
        self._writes: deque[tuple[TextIO, str]] = deque(maxlen=WRITES_HELD)
        self._count = 0

    def hold(self, stream: TextIO, text: str) -> None:
        """Hold what is written to `stream`. Any thread."""
        self._count += 1
        self._writes.append((stream, text))

    def start(self) -> None:
        """Hold the output from now on."""
        for name in ("stdout", "stderr"):
            stream: TextIO | None = getattr(sys, name)
            if stream is not None and self._is_on_terminal(stream):
                stream.flush()
                held = _HeldStream(stream, self)
                self._streams.append((name, held))
                setattr(sys, name, held)
                _redirect_logging(stream, held)

    def release(self) -> None:
        """Print what was held, and hold nothing more. Does nothing before `start`."""
        streams, self._streams = self._streams, []
        for name, held in streams:
            # Code that has kept the stand-in writes through it.
            held.holder = None
            if getattr(sys, name) is held:
                setattr(sys, name, held.stream)
            _redirect_logging(held, held.stream)
        dropped = self._count - len(self._writes)
        if dropped and streams:
            streams[-1][1].stream.write(f"(the first {dropped} pieces of output were dropped)\n")
        self._count = 0
        while self._writes:
            stream, text = self._writes.popleft()
            stream.write(text)
        for _, held in streams:
            held.stream.flush()

    def _is_on_terminal(self, stream: TextIO) -> bool:
        try:
            return stream.isatty() and os.fstat(stream.fileno()).st_rdev == self._terminal
        except (OSError, ValueError):  # the stream has no descriptor, or is closed
            return False


class _HeldStream:
    """A stand-in for a standard stream: writes are held, everything else is passed on to the stream."""

    def __init__(self, stream: TextIO, holder: HeldOutput) -> None:
        self.stream = stream
        self.rich_proxied_file = stream
        """The name by which a rich Console finds the file to write to."""
        self.holder: HeldOutput | None = holder
        """None once the output is released."""

    def write(self, text: str) -> int:
        """Hold `text`."""
        holder = self.holder
        if holder is None:
            return self.stream.write(text)
        holder.hold(self.stream, text)
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """Hold `lines`."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _redirect_logging(old: object, new: object) -> None:
    """Make every handler that writes to `old` write to `new`."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):  # a placeholder has no handlers
            if isinstance(handler, logging.StreamHandler) and handler.stream is old:
                handler.setStream(cast("TextIO", new))
