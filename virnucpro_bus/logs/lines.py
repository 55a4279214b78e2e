"""The last lines of a log, safe to be shown anywhere."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import BinaryIO

from virnucpro_bus.files.plain_files import open_plain_file
from virnucpro_bus.text import visible

MAX_LINE_CHARACTERS = 1_000
_BYTES = 1 << 14


def last_lines(path: Path, most: int) -> list[str]:
    """Return the last lines of a log, `most` at most, without what could control a terminal.

    Of a line that was printed over by carriage returns, such as a progress bar, the last state is left. Empty if
    the log cannot be read.
    """
    try:
        with open_plain_file(path) as file:
            start, end = _read_end(file)
            if start and not end:
                start, end = _read_end(file)  # it was shortened in between
            text = end.decode(errors="surrogateescape")
    except OSError:
        return []
    if start:
        text = text.partition("\n")[2] or text  # the first line is not whole
    lines = text.removesuffix("\n").split("\n") if text else []
    return [shown_line(line) for line in deque(lines, most)]


def _read_end(file: BinaryIO) -> tuple[int, bytes]:
    """Return the last bytes of a log, and where they begin."""
    start = max(0, file.seek(0, 2) - _BYTES)
    file.seek(start)
    return start, file.read(_BYTES)


def shown_line(line: str) -> str:
    """Return a line of a log, without its end, as it is shown: safe, bounded, without what was printed over."""
    state = line.rstrip("\r").rpartition("\r")[2]
    return visible(state.expandtabs()[:MAX_LINE_CHARACTERS])
