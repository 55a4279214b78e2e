"""What the bytes that are typed on a terminal mean: keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

_PATTERN = re.compile(
    rb"(?P<whole>\x1b[\[O][0-9;]*[@-~])|(?P<begun>\x1b[\[O]?[0-9;]{0,16}\Z)|(?P<plain>.)", re.DOTALL
)


class Key(Enum):
    """What a key means: to a replay, or to a dashboard (pages, order, end)."""

    PAUSE = b" "
    FORWARD = b"\x1b[C"
    BACK = b"\x1b[D"
    FASTER = b"+"
    SLOWER = b"-"
    NEXT_PAGE = b"n"
    PREVIOUS_PAGE = b"p"
    SORT = b"s"
    QUIT = b"q"


_PAGE_DOWN, _PAGE_UP = b"\x1b[6~", b"\x1b[5~"
_KEYS = {key.value: key for key in Key} | {_PAGE_DOWN: Key.NEXT_PAGE, _PAGE_UP: Key.PREVIOUS_PAGE}


def parse(typed: bytes) -> tuple[list[Key], bytes]:
    """The keys in `typed`, and what may be the beginning of another. Keys that mean nothing are passed over."""
    keys, rest = [], b""
    for found in _PATTERN.finditer(typed):
        if found["begun"]:
            rest = found["begun"]
        # A terminal in its application mode writes O where others write [.
        elif key := _KEYS.get(found[0].replace(b"\x1bO", b"\x1b[")):
            keys.append(key)
    return keys, rest


class Keys:
    """The keys in what `typed` gives, which is asked each time. One thread."""

    def __init__(self, typed: Callable[[], bytes]) -> None:
        self._typed = typed
        self._rest = b""

    def pressed(self) -> list[Key]:
        """The keys since last asked; never waits."""
        keys, self._rest = parse(self._rest + self._typed())
        return keys
