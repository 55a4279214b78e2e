"""What is printed on a terminal with a picture on it is held, and nothing else is."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

import pytest

from monitor.terminal import held_output as holding
from monitor.terminal.held_output import HeldOutput

Hold = Callable[[], HeldOutput]


class Terminal:
    """A terminal that is the standard output and error, and what has come to it."""

    def __init__(self) -> None:
        self.far, self.near = os.openpty()
        self.stream = os.fdopen(self.near, "w", encoding="utf-8")

    @property
    def printed(self) -> str:
        os.write(self.near, b"\0")
        read = b""
        while not read.endswith(b"\0"):
            read += os.read(self.far, 4096)
        return read[:-1].decode().replace("\r\n", "\n")


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.stream.close()
    os.close(terminal.far)


@pytest.fixture
def hold(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    """Makes the terminal the standard output and error, and holds what is printed there."""
    made = HeldOutput(terminal.near)

    def start() -> HeldOutput:
        # Not before the test itself runs: pytest has put its own streams there until then.
        monkeypatch.setattr(sys, "stdout", terminal.stream)
        monkeypatch.setattr(sys, "stderr", terminal.stream)
        made.start()
        return made

    yield start
    made.release()


def say(text: str, stream: TextIO | None = None) -> None:
    print(text, file=stream or sys.stdout)


def test_nothing_comes_until_it_is_released_and_then_all_in_order(terminal: Terminal, hold: Hold) -> None:
    held = hold()
    say("one")
    say("two", sys.stderr)
    sys.stdout.writelines(["three\n", "four\n"])
    assert terminal.printed == ""
    held.release()
    assert terminal.printed == "one\ntwo\nthree\nfour\n"
    assert sys.stdout is terminal.stream


def test_a_stand_in_that_was_kept_writes_through_afterwards(terminal: Terminal, hold: Hold) -> None:
    held = hold()
    kept = sys.stdout
    assert kept.isatty()
    held.release()
    kept.write("still there")
    kept.flush()
    assert terminal.printed == "still there"


def test_handlers_of_logging_are_held_whether_made_before_or_meanwhile(terminal: Terminal, hold: Hold) -> None:
    before = logging.StreamHandler(terminal.stream)
    logger = logging.getLogger("held")
    logger.propagate = False
    logger.addHandler(before)
    held = hold()
    meanwhile = logging.StreamHandler()
    logger.addHandler(meanwhile)
    try:
        logger.warning("twice")
        assert terminal.printed == ""
        held.release()
        assert terminal.printed == "twice\ntwice\n"
        assert before.stream is meanwhile.stream is terminal.stream
    finally:
        logger.handlers.clear()


def test_of_too_much_the_newest_is_kept_and_the_rest_is_counted(
    terminal: Terminal, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "WRITES_HELD", 2)
    held = request.getfixturevalue("hold")()
    for number in range(5):
        sys.stdout.write(f"{number}\n")
    held.release()
    assert terminal.printed == "(the first 3 pieces of output were dropped)\n3\n4\n"


def test_what_goes_elsewhere_is_left_alone(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = io.StringIO()
    monkeypatch.setattr(sys, "stderr", elsewhere)
    held = HeldOutput(terminal.near)
    held.start()
    say("an error", sys.stderr)
    assert elsewhere.getvalue() == "an error\n"
    assert sys.stderr is elsewhere
    held.release()
