"""What the environment says of a terminal is believed: its kind, size and language, and if colours are wanted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.captures import some_frames, write_capture
from tests.support.lab import COMMAND, Lab
from tests.support.terminal import Terminal

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ files ")
COLOURS = re.compile(rb"\x1b\[[0-9;]*(?:3[0-7]|4[0-7])m")


@pytest.fixture
def capture(lab: Lab) -> Path:
    write_capture(lab.folder / "run.vbus", some_frames(3))
    return lab.folder / "run.vbus"


def drawn(lab: Lab, **environment: str) -> Terminal:
    """A replay that stands still, with its picture."""
    options = ("--start-paused", "--interval", "3600")
    terminal = Terminal(lab, "replay", "run.vbus", *options, **environment)  # type: ignore[arg-type]
    terminal.until(
        lambda: terminal.takes_keys and terminal.full_screen and "no problems" in terminal.picture(), "it draws"
    )
    return terminal


def ended(terminal: Terminal) -> Terminal:
    terminal.type(b"q")
    assert terminal.wait() == 0
    return terminal


@pytest.mark.parametrize("kind", ["dumb", "unknown", ""])
def test_a_terminal_of_which_nothing_is_known_gets_plain_lines(lab: Lab, capture: Path, kind: str) -> None:
    terminal = Terminal(lab, "replay", capture, "--rate", "100", TERM=kind, FORCE_COLOR="1")
    assert terminal.wait() == 0
    assert b"\x1b" not in terminal.raw
    assert all(LINE.match(line) for line in terminal.raw.decode().splitlines())


def test_without_term_there_are_plain_lines_too(lab: Lab, capture: Path) -> None:
    command = 'unset TERM; exec "$0" "$@"'
    arguments = (capture, "--rate", "100")
    terminal = Terminal(lab, "-c", command, COMMAND, "replay", *arguments, program="sh")
    assert terminal.wait() == 0
    assert b"\x1b" not in terminal.raw
    assert LINE.match(terminal.raw.decode())


def test_columns_and_lines_are_the_size_of_the_picture(lab: Lab, capture: Path) -> None:
    terminal = drawn(lab, COLUMNS="64", LINES="9")
    picture = terminal.picture().splitlines()
    assert len(picture[0]) == 63
    assert len(picture) <= 9
    ended(terminal)


@pytest.mark.parametrize("size", [{"COLUMNS": "0", "LINES": "0"}, {"COLUMNS": "wide"}, {"COLUMNS": ""}])
def test_a_size_that_is_none_does_no_harm(lab: Lab, capture: Path, size: dict[str, str]) -> None:
    terminal = drawn(lab, **size)
    assert "dashboard:" not in terminal.picture()
    ended(terminal)


def test_no_color_takes_the_colours_and_leaves_the_picture(lab: Lab, capture: Path) -> None:
    assert COLOURS.search(ended(drawn(lab)).raw)
    assert COLOURS.search(ended(drawn(lab, NO_COLOR="1")).raw) is None
    assert COLOURS.search(ended(drawn(lab, NO_COLOR="1", FORCE_COLOR="1")).raw) is None


@pytest.mark.parametrize(
    ("language", "plain"),
    [
        ({"LANG": "C"}, True),
        ({"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"}, True),
        ({"LC_ALL": "C.UTF-8"}, False),
        ({"LANG": "C.UTF-8"}, False),
        ({}, False),
        ({"PYTHONIOENCODING": "ascii", "LANG": "C.UTF-8"}, True),
    ],
)
def test_the_language_c_gets_ascii_alone(lab: Lab, capture: Path, language: dict[str, str], plain: bool) -> None:
    cleared = {"LC_ALL": "", "LC_CTYPE": "", "LANG": "", "PYTHONUTF8": "", "PYTHONIOENCODING": ""}
    terminal = ended(drawn(lab, **cleared | language))
    assert terminal.raw.isascii() is plain
