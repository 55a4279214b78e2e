"""Harmful texts, with code points of every kind among them, and checks of output that contains them."""

from __future__ import annotations

import json
import random
import re
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import groupby

RANDOM_STRINGS = 20_000
"""A pair of two harmful pieces comes nine times on average."""
ALL_BELOW = 0x3000
"""Below this are nearly all controls, marks, spaces, and what has a direction; above it, long runs of one kind."""

HARM = (
    *("\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\x1bP", "\r", "\n", "\t", "\x08", "\x7f", "\0", "\x85", "\u2028"),
    *("\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\ufe0f", "\u3164", "\u034f", "\U000e0041", "\udcff"),
    *(
        "=",
        "+",
        "-",
        "@",
        "＝",
        "＋",
        "－",
        "＠",
        '"',
        "'",
        ",",
        " ",
        "\u3000",
        "[red]",
        "{}",
        "%s",
        "é",
        "試",
        "🧬",
    ),
)


PIECES = 4
"""Of a string that means harm, at most."""
POINT_CHARACTERS, HARM_CHARACTERS = 10, PIECES * 16 + 1
"""That a code point and such a string take at most when they are written out."""


@cache
def points() -> str:
    """Code points of every kind but the backslash, with which others are written out.

    Of a run of neighbours that Unicode has in one category, the first and the last stand for the others.
    """
    runs = [list(run) for _, run in groupby(map(chr, range(ALL_BELOW, sys.maxunicode + 1)), unicodedata.category)]
    below = "".join(map(chr, range(ALL_BELOW))).replace("\\", "")
    return below + "".join(run[0] + run[-1] for run in runs)


@cache
def harmful(count: int) -> Sequence[str]:
    """Strings of what means harm, and of anything."""
    dice, anything = random.Random(6), points()
    return tuple(
        "".join(
            dice.choice(HARM) if dice.random() < 0.7 else dice.choice(anything)
            for _ in range(dice.randint(1, PIECES))
        )
        for _ in range(count)
    )


def marked(texts: Sequence[str]) -> list[str]:
    """Each between words by which it is found again in what is printed."""
    return [f"BEGIN{text}_END_" for text in texts]


def code_points(characters: int) -> list[str]:
    """Those of every kind, in texts of at most so many characters when they are written out."""
    every, together = points(), characters // POINT_CHARACTERS
    return [every[first : first + together] for first in range(0, len(every), together)]


def strings(characters: int) -> list[str]:
    """Many that mean harm, in texts of at most so many characters when they are written out."""
    each, together = harmful(RANDOM_STRINGS), characters // HARM_CHARACTERS
    return ["|".join(each[first : first + together]) for first in range(0, len(each), together)]


TEXTS = {"code points": code_points, "strings that mean harm": strings}


# What can be said of an output without knowing how it is made.

MARKED = re.compile("BEGIN(.*?)_END_", re.DOTALL)
# Unicode's Default_Ignorable_Code_Point, as far as it has a character there.
IGNORABLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def is_space(character: str) -> bool:
    """Whether Unicode has it as a space; most of these do not count as printable."""
    return unicodedata.category(character) == "Zs"


def written(character: str) -> str:
    """How a character is to be seen: as it is, or written out; a byte that is not UTF-8 as that byte."""
    if (character.isprintable() or is_space(character)) and not IGNORABLE.match(character):
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def assert_harmless(output: str) -> None:
    """Nothing in it drives or hides, apart from the line ends."""
    assert all(written(character) == character for character in set(output) - {"\n"})
    output.encode()


def seen(text: str) -> str:
    return "".join(map(written, text))


def assert_all_is_seen(output: str, texts: Sequence[str]) -> None:
    """Each text is there, every character of it as it is or written out; also by JSON, where it is quoted."""
    for found, text in zip(MARKED.findall(output), texts, strict=True):
        assert found == seen(text) or found == seen(json.dumps(text, ensure_ascii=False)[1:-1])
