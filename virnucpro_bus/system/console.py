"""The only way to print a line to the user, apart from a command's own output."""

from __future__ import annotations

import sys

from virnucpro_bus.text import visible

EXIT_NOT_RESTORED = 75
"""The exit status of a run's monitor that could not restore the terminal, which did not read; the run has to."""


def say(message: str) -> None:
    """Print one line to stderr, safe for a terminal. Does nothing when stderr is closed or its terminal gone."""
    if sys.stderr is None:
        return  # print would take None for the standard output
    try:
        print(f"virnucpro-bus: {visible(message)}", file=sys.stderr)
    except (OSError, ValueError):  # ValueError: the stream has been closed
        pass
