"""The one way to print a line to the user."""

from __future__ import annotations

import sys

from virnucpro_bus.text import visible


def say(message: str) -> None:
    """One line on stderr, safe for a terminal; nothing where the terminal has gone."""
    try:
        print(f"virnucpro-bus: {visible(message)}", file=sys.stderr)
    except OSError:
        pass
