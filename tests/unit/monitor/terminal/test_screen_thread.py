"""The thread that draws: it alone waits for a terminal that does not read."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from queue import SimpleQueue
from threading import Event

import pytest
from rich.text import Text

from monitor.terminal import screen_thread
from monitor.terminal.screen import Screen
from monitor.terminal.screen_thread import ScreenThread

SECONDS = 30
LEFT = "left"


class Drawn(Screen):
    """A screen that records what is done with it, on a terminal that reads whenever `reads` is set."""

    def __init__(self) -> None:
        self.reads = Event()
        self.reads.set()
        self.error: OSError | None = None
        self._begun: SimpleQueue[str] = SimpleQueue()

    def next(self) -> str:
        """What is done next: a picture that is drawn from now on, or LEFT."""
        return self._begun.get(timeout=SECONDS)

    def draw(self, picture: Sequence[Text], width: int, height: int) -> None:
        self._do(picture[0].plain)

    def leave(self) -> None:
        self._do(LEFT)

    def _do(self, what: str) -> None:
        self._begun.put(what)
        assert self.reads.wait(SECONDS)
        if self.error is not None:
            raise self.error


def draw(thread: ScreenThread, *names: str) -> None:
    for name in names:
        thread.draw([Text(name)], 80, 24)


def test_of_the_pictures_that_come_while_the_terminal_does_not_read_the_newest_is_drawn_afterwards() -> None:
    screen = Drawn()
    thread = ScreenThread(screen)
    screen.reads.clear()
    draw(thread, "first")
    assert screen.next() == "first"
    draw(thread, "second", "third", "fourth")
    screen.reads.set()
    assert screen.next() == "fourth"
    thread.pause()
    assert screen.next() == LEFT
    thread.end()


def test_nothing_is_drawn_from_a_pause_until_resume() -> None:
    screen = Drawn()
    thread = ScreenThread(screen)
    thread.pause()
    draw(thread, "while paused")
    thread.resume()
    draw(thread, "afterwards")
    assert [screen.next(), screen.next()] == [LEFT, "afterwards"]
    thread.pause()
    thread.end()


def test_a_terminal_that_does_not_read_is_given_up_and_left_when_it_reads_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(screen_thread, "LEAVE_SECONDS", 0.01)
    screen = Drawn()
    thread = ScreenThread(screen)
    screen.reads.clear()
    draw(thread, "picture")
    assert screen.next() == "picture"
    draw(thread, "newer")
    with pytest.raises(TimeoutError) as raised:
        thread.pause()
    assert raised.value.errno == errno.ETIMEDOUT
    thread.end()
    screen.reads.set()
    assert screen.next() == LEFT


def test_why_a_picture_could_not_be_drawn_is_raised_once_at_a_later_one() -> None:
    screen = Drawn()
    thread = ScreenThread(screen)
    screen.error = OSError(errno.EBADF, "refused")
    draw(thread, "first")
    screen.next()
    with pytest.raises(OSError, match="refused"):
        thread.pause()
    thread.resume()
    screen.error = None
    with pytest.raises(OSError, match="refused"):
        draw(thread, "second")
    draw(thread, "third")
    assert [screen.next(), screen.next()] == [LEFT, "third"]
    thread.pause()
    thread.end()
