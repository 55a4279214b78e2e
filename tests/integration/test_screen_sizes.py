"""The picture is that of the terminal's size, at any size and at once, in one write and without a flicker."""

from __future__ import annotations

import os
import random
import re
import threading
from collections.abc import Iterator

import pyte
import pytest
from rich.console import Console

from monitor.model.selection import ViewOptions
from monitor.terminal.screen import Screen
from monitor.view.frame import frame
from tests.support.captures import some_frames, write_capture
from tests.support.lab import Lab
from tests.support.pictures import snapshot
from tests.support.terminal import Terminal

CLEARED = re.compile(rb"\x1b\[[123]J|\x1bc")
BEGUN, ENDED = b"\x1b[?2026h", b"\x1b[?2026l"
HEALTH = "no problems seen"


class Reader:
    """Reads all that is written to a terminal, of which `master` is the far end, so that writing never waits."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._read = b""
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def picture(self) -> bytes:
        """What makes up one picture, once it is there."""
        with self._news:
            assert self._news.wait_for(lambda: ENDED in self._read, 10)
            read, self._read = self._read, b""
            return read

    def finish(self) -> None:
        """Wait until the terminal has gone, and nothing is read any more: the next may have the same number."""
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:  # the terminal has gone
                return
            with self._news:
                self._read += data
                self._news.notify()


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Reader, Console, list[int]]]:
    """A terminal's reader, a console on it, and the sizes of all writes."""
    master, slave = os.openpty()
    writes: list[int] = []
    write = os.write

    def counted(descriptor: int, data: bytes) -> int:
        if descriptor == slave:
            writes.append(len(data))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", counted)
    with os.fdopen(slave, "w", encoding="utf-8") as file:
        reader = Reader(master)
        yield reader, Console(file=file, force_terminal=True, color_system="256"), writes
    reader.finish()
    os.close(master)


def test_each_of_many_sizes_is_one_write_and_its_picture_is_right(
    drawing: tuple[Reader, Console, list[int]],
) -> None:
    reader, console, writes = drawing
    dice = random.Random(6)
    sizes = [(1, 1), (1, 40), (120, 1), (2, 2)]
    sizes += [(dice.randint(1, 120), dice.randint(1, 40)) for _ in range(200 - len(sizes))]
    told = snapshot(devices=12)
    emulated = pyte.Screen(80, 24)
    stream = pyte.ByteStream(emulated)
    screen = Screen(console)
    for page, (width, height) in enumerate(sizes):
        picture = frame(told, width, height, options=ViewOptions(page=page))
        screen.draw(picture, width, height)
        drawn = reader.picture()
        assert drawn.count(BEGUN) == 1
        emulated.resize(height, width)
        stream.feed(drawn)
        shown = [line.rstrip() for line in emulated.display]
        assert shown == [text.plain.rstrip() for text in picture] + [""] * (height - len(picture))
    assert len(writes) == len(sizes)
    screen.leave()
    assert len(writes) == len(sizes) + 1


def test_a_picture_that_is_larger_than_any_buffer_is_one_write(drawing: tuple[Reader, Console, list[int]]) -> None:
    reader, console, writes = drawing
    picture = frame(snapshot(devices=64), 300, 90)
    Screen(console).draw(picture, 300, 90)
    assert len(reader.picture()) == sum(writes) > 8192
    assert len(writes) == 1


@pytest.fixture
def standing(lab: Lab) -> Terminal:
    """A replay that stands still, and looks of itself only once an hour: what it draws has another reason."""
    path = lab.folder / "run.vbus"
    write_capture(path, some_frames(20))
    terminal = Terminal(lab, "replay", "run.vbus", "--start-paused", "--interval", "3600")
    terminal.until(lambda: terminal.takes_keys and is_right(terminal, 120, 30), "it draws")
    return terminal


def is_right(terminal: Terminal, columns: int, lines: int) -> bool:
    """Whether the picture has this size, the title's time of day at the right, and says how the run is."""
    picture = terminal.picture().splitlines()
    wide = bool(picture) and len(picture[0]) == columns - 1
    return terminal.full_screen and wide and len(picture) <= lines and any(HEALTH in line for line in picture)


def test_another_size_is_drawn_at_once(standing: Terminal) -> None:
    for columns, lines in ((80, 24), (200, 60), (60, 12)):
        standing.resize(columns, lines)
        standing.until(lambda size=(columns, lines): is_right(standing, *size), f"{columns} x {lines}")  # type: ignore[misc]
    standing.type(b"q")
    assert standing.wait() == 0


def test_a_storm_of_sizes_ends_in_the_right_picture_without_a_clear_and_without_an_error(
    standing: Terminal,
) -> None:
    dice = random.Random(7)
    drawn = standing.raw.count(ENDED)
    for number in range(100):
        columns, lines = (1, 1) if number % 10 == 0 else (dice.randint(1, 200), dice.randint(1, 60))
        standing.resize(columns, lines)
        standing.watch(0.01)
    standing.resize(100, 20)
    standing.until(lambda: is_right(standing, 100, 20), "the last size")
    assert standing.raw.count(ENDED) > drawn + 10
    assert "dashboard:" not in standing.picture()
    standing.type(b"q")
    assert standing.wait() == 0
    assert standing.raw.count(BEGUN) == standing.raw.count(ENDED)
    pictures = [part.split(BEGUN)[-1] for part in standing.raw.split(ENDED)[:-1]]
    assert all(CLEARED.search(picture) is None for picture in pictures)
