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
    """What a key means to a replay."""

    PAUSE = b" "
    FORWARD = b"\x1b[C"
    BACK = b"\x1b[D"
    FASTER = b"+"
    SLOWER = b"-"
    QUIT = b"q"


_KEYS = {key.value: key for key in Key}


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

    `terminal` is a descriptor. Ctrl-C stays a signal. The terminal is as it was afterwards, whatever happens.
    """
    before = termios.tcgetattr(terminal)
    rest = b""

    def pressed() -> list[Key]:
        nonlocal rest
        typed = rest
        try:
            while select.select([terminal], [], [], 0)[0] and (data := os.read(terminal, 1024)):
                typed += data
        except OSError:
            return []  # the terminal has gone; a signal says so too
        keys, rest = parse(typed)
        return keys

    try:
        tty.setcbreak(terminal)
        yield pressed
    finally:
        with suppress(termios.error):  # it may have gone
            # What was typed and not read was not meant for the shell.
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)


def can_be_typed(terminal: int) -> bool:
    """Whether `terminal` is one, and ours to read from: a job in the background would be stopped by trying."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
