"""The keys of a dashboard, parsed from the bytes that are typed on a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

_PATTERN = re.compile(
    rb"(?P<whole>\x1b[\[O][0-9;]*[@-~])|(?P<begun>\x1b[\[O]?[0-9;]{0,16}\Z)|(?P<plain>.)", re.DOTALL
)


class Key(Enum):
    """A key that controls a replay, or the view of a dashboard (screen, device, page, order, quit)."""

    PAUSE = b" "
    FORWARD = b"\x1b[C"
    BACK = b"\x1b[D"
    FASTER = b"+"
    SLOWER = b"-"
    NEXT_PAGE = b"n"
    PREVIOUS_PAGE = b"p"
    SORT = b"s"
    HELP = b"?"
    FILES = b"f"
    LOGS = b"l"
    EFFECT = b"e"
    UP = b"\x1b[A"
    DOWN = b"\x1b[B"
    OPEN = b"\r"
    ESCAPE = b"\x1b"
    QUIT = b"q"


_PAGE_DOWN, _PAGE_UP = b"\x1b[6~", b"\x1b[5~"
_KEYS = {key.value: key for key in Key} | {
    _PAGE_DOWN: Key.NEXT_PAGE,
    _PAGE_UP: Key.PREVIOUS_PAGE,
    b"\n": Key.OPEN,  # what a terminal makes of Enter
}


class Keys:
    """Reads keys from `typed`, a function that returns the bytes typed since its last call. One thread."""

    def __init__(self, typed: Callable[[], bytes]) -> None:
        self._typed = typed
        self._unfinished = b""

    def pressed(self) -> list[Key]:
        """Return the keys since the last call; never waits."""
        typed = self._typed()
        if not typed and self._unfinished == Key.ESCAPE.value:
            # It begins the codes of other keys too, but these come at once.
            self._unfinished = b""
            return [Key.ESCAPE]
        keys, self._unfinished = parse(self._unfinished + typed)
        return keys


def parse(typed: bytes) -> tuple[list[Key], bytes]:
    """Return the keys in `typed`, and the bytes at its end that may begin another. Other keys are ignored."""
    keys, unfinished = [], b""
    for found in _PATTERN.finditer(typed):
        if found["begun"]:
            unfinished = found["begun"]
        # A terminal in application mode sends O where others send [.
        elif key := _KEYS.get(found[0].replace(b"\x1bO", b"\x1b[")):
            keys.append(key)
    return keys, unfinished
