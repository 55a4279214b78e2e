r"""Makes text from outside safe to print: the only sanitiser.

A file or device name can contain anything. Nothing that controls a terminal, or hides or reverses text, may reach
a screen or a log, and nothing that a spreadsheet would evaluate may reach a CSV file. What is refused is written
out, so that it is visible and distinguishable: ESC becomes the four characters `\x1b`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

# Controls, formats (bidi, zero-width), surrogates, private, unassigned, line and paragraph separators.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

# Invisible although Unicode classifies them as letters and marks (its Default_Ignorable list): the grapheme
# joiner, Hangul fillers, Khmer inherent vowels and all variation selectors.
_INVISIBLE = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180F, 0x3164, 0xFFA0),
            *range(0x180B, 0x180E),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ),
    )
)

# The signs in all widths and heights: spreadsheets in East Asian locales read full-width ones like the plain ones.
_SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋⩵⩶﬩"
# What starts a formula: a sign or a control character at the beginning of a cell. Some programs skip blanks and
# quotes before it, and in locales that separate cells by semicolons a cell also begins after each of them.
_FORMULA = re.compile(rf"""(^|;)(?=[\s"]*(?:[{re.escape(_SIGNS)}\t\r\n\0]|\\x(?:09|0a|0d|00)))""")


def text_of(thing: object, convert: Callable[[object], str] = str) -> str:
    """Return `convert(thing)`, which may run a user's code; where that raises, a note that says what it raised."""
    try:
        return convert(thing)
    except BaseException as error:
        return f"<its {convert.__name__}() raises {type(error).__name__}>"


def visible(text: str) -> str:
    r"""Write every character that could control or confuse a terminal as \xNN, \uNNNN or \UNNNNNNNN.

    Accents, CJK, emoji and spaces pass unchanged, and so does the backslash: the result is for people, and cannot
    be parsed back. A byte that is carried as a surrogate (os.fsdecode) is written as that byte, \xNN. Idempotent.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible_character, text))


def spreadsheet_safe(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would evaluate as a formula. Idempotent.

    That is a leading = + - @ tab, CR, LF or NUL, also as `visible` writes it, and after blanks, quotes or a
    semicolon. Not for numbers, whose minus sign is intended.
    """
    if text[:1].isalnum() and ";" not in text:
        return text  # nearly every cell, at a tenth of the cost
    return _FORMULA.sub(r"\1'", text)


def _visible_character(character: str) -> str:
    if unicodedata.category(character) not in _REFUSED_CATEGORIES and character not in _INVISIBLE:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
