"""Keys as they are typed, and a terminal that is given back."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.keys import Key, can_be_typed, parse, typed_keys

EVERY_KEY = b" \x1b[C\x1b[D+-q"


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (EVERY_KEY, [Key.PAUSE, Key.FORWARD, Key.BACK, Key.FASTER, Key.SLOWER, Key.QUIT]),
        (b"\x1bOC\x1bOD", [Key.FORWARD, Key.BACK]),
        (b"xQ\n\t\xff", []),
        (b"\x1b[A\x1b[3~\x1b[1;5C", []),
        (b"\x1b\x1b[Cq", [Key.FORWARD, Key.QUIT]),
        (b"\x1bq", [Key.QUIT]),
        (b"", []),
    ],
)
def test_what_is_typed_means(typed: bytes, keys: list[Key]) -> None:
    assert parse(typed) == (keys, b"")


@given(sizes=st.lists(st.integers(1, 3), max_size=12))
def test_a_key_may_come_in_pieces(sizes: list[int]) -> None:
    keys, rest, left = [], b"", EVERY_KEY
    for size in [*sizes, len(EVERY_KEY)]:
        piece, left = left[:size], left[size:]
        more, rest = parse(rest + piece)
        keys += more
    assert (keys, rest) == (parse(EVERY_KEY)[0], b"")


@given(typed=st.binary(max_size=200))
def test_whatever_is_typed_little_of_it_is_kept(typed: bytes) -> None:
    assert len(parse(typed)[1]) <= 18


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


def test_keys_come_without_enter_and_unseen_and_ctrl_c_stays_a_signal(terminal: tuple[int, int]) -> None:
    keyboard, program = terminal
    with typed_keys(program) as pressed:
        assert modes(program) == termios.ISIG
        assert pressed() == []
        os.write(keyboard, b" \x1b")
        assert pressed() == [Key.PAUSE]
        os.write(keyboard, b"[C")
        assert pressed() == [Key.FORWARD]
        assert pressed() == []


def test_the_terminal_is_as_it_was_even_after_an_error(terminal: tuple[int, int]) -> None:
    program = terminal[1]
    before = termios.tcgetattr(program)

    def fail() -> None:
        with typed_keys(program):
            assert termios.tcgetattr(program) != before
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        fail()
    assert termios.tcgetattr(program) == before


def test_a_terminal_that_goes_away_gives_no_more_keys() -> None:
    keyboard, program = pty.openpty()
    with typed_keys(program) as pressed:
        os.close(keyboard)
        assert pressed() == []
    os.close(program)


def test_nothing_can_be_typed_into_a_pipe_or_somebody_elses_terminal(terminal: tuple[int, int]) -> None:
    reading, writing = os.pipe()
    assert not can_be_typed(reading)
    assert not can_be_typed(terminal[1])
    os.close(reading)
    os.close(writing)
