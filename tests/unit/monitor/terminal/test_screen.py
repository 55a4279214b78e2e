"""The alternate screen, drawn by rich's Live: entered with a picture, and left whatever interrupts it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pyte
import pytest
from rich.console import Console
from rich.live import Live
from rich.text import Text

from monitor.terminal.screen import Screen

ENTERED, LEFT = b"\x1b[?1049h", b"\x1b[?1049l"
CURSOR_SHOWN = b"\x1b[?25h"
END = b"the end of what was written"
PICTURE = [Text("title"), Text(""), Text("row", "bold")]


class Drawing:
    """A screen on a terminal, and what was written there."""

    def __init__(self, ours: int, console: Console) -> None:
        self._ours = ours
        self._theirs = console.file.fileno()
        self.screen = Screen(console)

    def draw(self, picture: list[Text] = PICTURE, width: int = 20, height: int = 5) -> None:
        self.screen.draw(picture, width, height)

    def written(self) -> bytes:
        """What was written since the last call."""
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
    drawing.draw()
    assert ENTERED in drawing.written()
    drawing.draw()
    assert ENTERED not in drawing.written()


def test_after_a_pause_the_next_picture_enters_the_screen_again(drawing: Drawing) -> None:
    drawing.draw()
    drawing.screen.pause()
    drawing.written()
    drawing.screen.resume()
    drawing.draw()
    written = drawing.written()
    assert ENTERED in written
    assert LEFT not in written


def test_a_first_picture_that_cannot_be_written_does_not_stand_for_the_entered_screen(
    drawing: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, data: bytes) -> int:
        raise OSError("refused")

    with monkeypatch.context() as refusing:
        refusing.setattr(os, "write", refuse)
        with pytest.raises(OSError, match="refused"):
            drawing.draw()
    drawing.draw([Text("second")])
    written = drawing.written()
    assert written.count(ENTERED) == 1
    assert b"title" not in written


def test_a_ctrl_c_that_interrupts_live_while_it_stops_leaves_the_screen_all_the_same(
    drawing: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(live: Live) -> None:
        raise KeyboardInterrupt

    drawing.draw()
    drawing.written()
    monkeypatch.setattr(Live, "stop", interrupted)
    with pytest.raises(KeyboardInterrupt):
        drawing.screen.pause()
    written = drawing.written()
    assert LEFT in written
    assert CURSOR_SHOWN in written


def test_a_handler_that_interrupts_live_while_it_stops_leaves_the_screen_itself(
    drawing: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Live.stop
    left_by_the_handler = b""

    def interrupted(live: Live) -> None:
        nonlocal left_by_the_handler
        monkeypatch.setattr(Live, "stop", lambda live: None)  # the interrupted call has begun to stop it
        drawing.screen.pause()
        left_by_the_handler = drawing.written()
        stop(live)

    drawing.draw()
    drawing.written()
    monkeypatch.setattr(Live, "stop", interrupted)
    drawing.screen.pause()
    assert LEFT in left_by_the_handler


def test_a_terminal_that_has_become_smaller_meanwhile_does_not_scroll(drawing: Drawing) -> None:
    lines = [f"line {number}" for number in range(10)]
    drawing.draw([Text(line) for line in lines], 40, 20)
    emulated = pyte.Screen(10, 4)
    pyte.ByteStream(emulated).feed(drawing.written())
    assert [line.rstrip() for line in emulated.display[:3]] == lines[:3]


def test_a_shorter_picture_leaves_nothing_of_the_one_before(drawing: Drawing) -> None:
    emulated = pyte.Screen(20, 5)
    stream = pyte.ByteStream(emulated)
    drawing.draw([Text("x" * 20)] * 5)
    stream.feed(drawing.written())
    drawing.draw([Text("short")])
    stream.feed(drawing.written())
    assert [line.rstrip() for line in emulated.display] == ["short", "", "", "", ""]


@pytest.mark.parametrize("drawing", ["ascii"], indirect=True)
def test_a_character_that_the_terminal_cannot_show_is_escaped(drawing: Drawing) -> None:
    drawing.draw([Text("\u00e9")])
    assert b"\\xe9" in drawing.written()
