"""A replay in a terminal does what its keys say, and gives the terminal back."""

from __future__ import annotations

import re
import termios

import pytest

from tests.support.captures import some_frames, write_capture
from tests.support.lab import Lab
from tests.support.terminal import CTRL_C, Terminal

FORWARD, BACK = b"\x1b[C", b"\x1b[D"


@pytest.fixture
def paused(lab: Lab) -> Terminal:
    """A replay of sixty files, one a second, that stands at 20.5 s and looks of itself only once an hour."""
    path = lab.folder / "run.vbus"
    write_capture(path, some_frames(60))
    place = ("--from", "20.5", "--start-paused", "--interval", "3600")
    terminal = Terminal(lab, "replay", path, *place)
    terminal.until(lambda: "at 1 x (paused)" in terminal.picture(), "it draws")
    terminal.until(lambda: terminal.takes_keys, "it listens to keys")
    return terminal


def done(terminal: Terminal) -> str:
    found = re.search(r"(\d+) files done", terminal.picture())
    return found[1] if found else ""


def press(terminal: Terminal, keys: bytes, title: str, files: str) -> None:
    """Type, and wait until the title ends like that and so many files are done."""
    terminal.type(keys)
    shown = re.compile(rf"run\.vbus {re.escape(title)}  ")
    terminal.until(lambda: shown.search(terminal.picture()) and done(terminal) == files, f"{keys!r}: {title}")


def test_keys_move_it_pause_it_and_change_its_rate(paused: Terminal) -> None:
    press(paused, FORWARD, "at 1 x (paused)", "31")
    press(paused, BACK + BACK, "at 1 x (paused)", "11")
    press(paused, b"+++", "at 8 x (paused)", "11")
    press(paused, b"----", "at 0.5 x (paused)", "11")
    press(paused, BACK + BACK, "at 0.5 x (paused)", "1")
    paused.type(b" ")
    paused.until(lambda: re.search(r"run\.vbus at 0\.5 x  ", paused.picture()), "it goes on")
    paused.type(b"q")
    assert paused.wait() == 0
    assert not paused.full_screen
    assert not paused.cursor_is_hidden


@pytest.mark.parametrize(("key", "status"), [(b"q", 0), (CTRL_C, 130)])
def test_the_terminal_is_given_back_with_echo_and_line_mode(paused: Terminal, key: bytes, status: int) -> None:
    assert paused.takes_keys
    paused.type(key)
    paused.until(lambda: paused.modes() & termios.ICANON and paused.modes() & termios.ECHO, "as it was")
    assert paused.wait() == status


def test_it_ends_by_itself_at_its_end(lab: Lab, paused: Terminal) -> None:
    paused.type(FORWARD * 5)
    assert paused.wait() == 0
    assert done(paused) == "60"
