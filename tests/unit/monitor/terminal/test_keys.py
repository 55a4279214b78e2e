"""What the bytes that are typed mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.terminal.keys import Key, Keys, parse

EVERY_KEY = b" \x1b[C\x1b[D+-q"


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (EVERY_KEY, [Key.PAUSE, Key.FORWARD, Key.BACK, Key.FASTER, Key.SLOWER, Key.QUIT]),
        (b"\x1bOC\x1bOD", [Key.FORWARD, Key.BACK]),
        (b"xQ\t\xff", []),
        (b"\x1b[3~\x1b[1;5C", []),
        (b"?fle\x1b[A\x1b[B", [Key.HELP, Key.FILES, Key.LOGS, Key.EFFECT, Key.UP, Key.DOWN]),
        (b"\r\n", [Key.OPEN, Key.OPEN]),
        (b"\x1b\x1b[Cq", [Key.ESCAPE, Key.FORWARD, Key.QUIT]),
        (b"\x1bq", [Key.ESCAPE, Key.QUIT]),
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


def test_what_is_asked_for_comes_in_pieces_too() -> None:
    pieces = iter([b" \x1b", b"[", b"C-"])
    keys = Keys(lambda: next(pieces))
    assert [keys.pressed() for _ in range(3)] == [[Key.PAUSE], [], [Key.FORWARD, Key.SLOWER]]


def test_the_escape_key_is_one_when_nothing_follows_it() -> None:
    pieces = iter([b"\x1b", b"", b"", b"\x1b", b"[A"])
    keys = Keys(lambda: next(pieces))
    assert [keys.pressed() for _ in range(5)] == [[], [Key.ESCAPE], [], [], [Key.UP]]
