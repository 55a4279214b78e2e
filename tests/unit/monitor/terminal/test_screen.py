"""The alternate screen, drawn by rich's Live: entered with a picture, left without a trace."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pyte
import pytest
from rich.console import Console
from rich.text import Text

from monitor.terminal.screen import Screen

ENTERED, LEFT = b"\x1b[?1049h", b"\x1b[?1049l"
CURSOR_HIDDEN, CURSOR_SHOWN = b"\x1b[?25l", b"\x1b[?25h"
END = b"the end of what was written"
PICTURE = [Text("title"), Text(""), Text("row", "bold")]


class Drawing:
    """A screen on a terminal, and what was written there."""

    def __init__(self, ours: int, console: Console) -> None:
        self._ours = ours
        self._theirs = console.file.fileno()
        self._screen = Screen(console)

    def draw(self, picture: list[Text] = PICTURE, width: int = 20, height: int = 5) -> bytes:
        """Draw a picture; what was written."""
        self._screen.draw(picture, width, height)
        return self._written()

    def leave(self) -> bytes:
        """Leave the screen; what was written."""
        self._screen.leave()
        return self._written()

    def _written(self) -> bytes:
        os.write(self._theirs, END)
        read = b""
        while not read.endswith(END):
            read += os.read(self._ours, 1 << 16)
        return read.removesuffix(END)


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Drawing]:
    """A terminal's, in UTF-8 or another encoding."""
    monkeypatch.setenv("TERM", "xterm-256color")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w", encoding=getattr(request, "param", "utf-8")) as file:
        yield Drawing(ours, Console(file=file))
    os.close(ours)


def test_the_first_picture_comes_with_the_screen_and_the_following_ones_without(drawing: Drawing) -> None:
    first = drawing.draw()
    assert ENTERED in first
    assert CURSOR_HIDDEN in first
    assert ENTERED not in drawing.draw()


def test_a_screen_that_is_left_shows_the_cursor_again(drawing: Drawing) -> None:
    drawing.draw()
    left = drawing.leave()
    assert LEFT in left
    assert CURSOR_SHOWN in left


def test_a_screen_without_a_picture_is_left_by_writing_nothing(drawing: Drawing) -> None:
    assert drawing.leave() == b""
    drawing.draw()
    drawing.leave()
    assert drawing.leave() == b""


def test_a_picture_enters_a_screen_again_that_was_left(drawing: Drawing) -> None:
    drawing.draw()
    drawing.leave()
    again = drawing.draw()
    assert ENTERED in again
    assert LEFT not in again


def test_a_terminal_that_has_become_smaller_meanwhile_does_not_scroll(drawing: Drawing) -> None:
    lines = [f"line {number}" for number in range(10)]
    emulated = pyte.Screen(10, 4)
    pyte.ByteStream(emulated).feed(drawing.draw([Text(line) for line in lines], 40, 20))
    assert [line.rstrip() for line in emulated.display[:3]] == lines[:3]


def test_a_shorter_picture_leaves_nothing_of_the_one_before(drawing: Drawing) -> None:
    emulated = pyte.Screen(20, 5)
    stream = pyte.ByteStream(emulated)
    stream.feed(drawing.draw([Text("x" * 20)] * 5))
    stream.feed(drawing.draw([Text("short")]))
    assert [line.rstrip() for line in emulated.display] == ["short", "", "", "", ""]


@pytest.mark.parametrize("drawing", ["ascii"], indirect=True)
def test_a_character_that_the_terminal_cannot_show_is_escaped(drawing: Drawing) -> None:
    assert b"\\xe9" in drawing.draw([Text("\u00e9")])
