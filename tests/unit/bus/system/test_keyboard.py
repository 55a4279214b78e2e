"""Bytes as they are typed, and a terminal that is given back."""

from __future__ import annotations

import os
import pty
import select
import termios
import tty
from collections.abc import Iterator

import pytest

from virnucpro_bus.system.keyboard import Keyboard, is_foreground, is_interactive, read_forwarded


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The keyboard's end and the program's end of a terminal."""
    keyboard, program = pty.openpty()
    yield keyboard, program
    os.close(keyboard)
    os.close(program)


def modes(terminal: int) -> int:
    """Whether it waits for Enter and shows what is typed, and whether Ctrl-C is a signal."""
    flags: int = termios.tcgetattr(terminal)[3]
    return flags & (termios.ICANON | termios.ECHO | termios.ISIG)


def test_bytes_come_without_enter_and_unseen_and_ctrl_c_stays_a_signal(terminal: tuple[int, int]) -> None:
    hands, program = terminal
    with Keyboard(program) as keyboard:
        assert modes(program) == termios.ISIG
        assert keyboard.typed() == b""
        os.write(hands, b" \x1b")
        assert keyboard.typed() == b" \x1b"
        assert keyboard.typed() == b""


def test_a_key_that_is_typed_as_soon_as_the_terminal_takes_keys_is_not_lost(
    terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    hands, program = terminal
    set_cbreak = tty.setcbreak

    def then_type(descriptor: int) -> None:
        set_cbreak(descriptor)
        os.write(hands, b"q")
        assert select.select([program], [], [], 30)[0]  # a terminal takes a moment

    monkeypatch.setattr(tty, "setcbreak", then_type)
    with Keyboard(program) as keyboard:
        assert keyboard.typed() == b"q"


def test_ctrl_c_discards_no_output_that_is_on_its_way(terminal: tuple[int, int]) -> None:
    program = terminal[1]
    with Keyboard(program):
        assert termios.tcgetattr(program)[3] & termios.NOFLSH
    assert not termios.tcgetattr(program)[3] & termios.NOFLSH


def test_the_terminal_is_as_it_was_even_after_an_error(terminal: tuple[int, int]) -> None:
    program = terminal[1]
    before = termios.tcgetattr(program)

    def fail() -> None:
        with Keyboard(program):
            assert termios.tcgetattr(program) != before
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        fail()
    assert termios.tcgetattr(program) == before


def test_what_was_typed_and_not_read_is_discarded(terminal: tuple[int, int]) -> None:
    hands, program = terminal
    with Keyboard(program):
        os.write(hands, b"rm -r *\n")
        assert select.select([program], [], [], 30)[0]  # a terminal takes a moment
    os.set_blocking(program, False)
    with pytest.raises(BlockingIOError):
        os.read(program, 100)


def test_a_shell_that_had_it_meanwhile_has_changed_it_and_it_is_taken_again(terminal: tuple[int, int]) -> None:
    program = terminal[1]
    before = termios.tcgetattr(program)
    with Keyboard(program) as keyboard:
        termios.tcsetattr(program, termios.TCSANOW, before)
        keyboard.typed()
        assert modes(program) == termios.ISIG
    assert termios.tcgetattr(program) == before


def test_it_can_be_given_back_and_taken_again(terminal: tuple[int, int]) -> None:
    hands, program = terminal
    before = termios.tcgetattr(program)
    with Keyboard(program) as keyboard:
        keyboard.give_back()
        assert termios.tcgetattr(program) == before
        keyboard.typed()
        os.write(hands, b"n")
        assert keyboard.typed() == b"n"


def test_a_terminal_that_goes_away_gives_nothing_more() -> None:
    hands, program = pty.openpty()
    with Keyboard(program) as keyboard:
        os.close(hands)
        assert keyboard.typed() == b""
    os.close(program)


def test_a_pipe_and_the_terminal_of_another_session_are_not_interactive(terminal: tuple[int, int]) -> None:
    reading, writing = os.pipe()
    assert not is_interactive(reading)
    assert not is_interactive(terminal[1])
    os.close(reading)
    os.close(writing)


def test_on_a_terminal_without_job_control_every_group_is_in_the_foreground(terminal: tuple[int, int]) -> None:
    assert is_foreground(terminal[1])
    assert is_foreground(terminal[1], 1)


def test_reading_what_is_forwarded_never_waits() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    assert read_forwarded(reading) == b""
    os.write(writing, b"np")
    assert read_forwarded(reading) == b"np"
    os.close(writing)
    assert read_forwarded(reading) == b""
    os.close(reading)
