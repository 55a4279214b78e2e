"""Keys typed on a terminal, as they are typed: without Enter, and without being seen."""

from __future__ import annotations

import os
import re
import select
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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


@contextmanager
def typed_keys(terminal: int) -> Iterator[Callable[[], list[Key]]]:
    """While entered, gives what asks for the keys typed since last asked; it never waits.

    `terminal` is a descriptor. Ctrl-C stays a signal. The terminal is as it was afterwards, whatever happens;
    while it belongs to another job it is left alone.
    """
    before, group = termios.tcgetattr(terminal), group_in_front(terminal)
    rest = b""

    def pressed() -> list[Key]:
        nonlocal rest
        typed = rest
        try:
            if group_in_front(terminal) != group:
                return []
            if termios.tcgetattr(terminal)[3] & termios.ICANON:
                tty.setcbreak(terminal)  # a shell has had it meanwhile
            while select.select([terminal], [], [], 0)[0] and (data := os.read(terminal, 1024)):
                typed += data
        except (OSError, termios.error):
            return []  # the terminal has gone; a signal says so too
        keys, rest = parse(typed)
        return keys

    try:
        tty.setcbreak(terminal)
        yield pressed
    finally:
        if group_in_front(terminal) == group:
            with suppress(termios.error):  # it may have gone
                # What was typed and not read was not meant for the shell.
                termios.tcsetattr(terminal, termios.TCSAFLUSH, before)


def can_be_typed(terminal: int) -> bool:
    """Whether `terminal` is one, and ours to read from: a job in the background would be stopped by trying."""
    return group_in_front(terminal) == os.getpgrp()


def group_in_front(terminal: int) -> int | None:
    """The process group that `terminal` listens to; None where it is none, or is not that of our session."""
    try:
        return os.tcgetpgrp(terminal)
    except OSError:
        return None
