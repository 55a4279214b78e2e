r"""Text from outside, made safe to show: the one sanitiser.

A file or device name can hold anything. Nothing that drives a terminal, hides, or reverses text may pass to a
screen or a log, and nothing that a spreadsheet would run may pass to a CSV file. What is refused is written
out, so that it can be seen and told apart: ESC becomes the four characters `\x1b`.
"""

from __future__ import annotations

import re
import unicodedata

# Controls, formats (bidi, zero-width), surrogates, private, unassigned, line and paragraph separators.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

# Drawn without ink or width although Unicode files them under letters and marks (its Default_Ignorable list):
# the grapheme joiner, Hangul fillers, Khmer inherent vowels and all variation selectors.
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

# The signs in every width and height: spreadsheets of East Asian locales read full-width ones as the plain ones.
_SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋⩵⩶﬩"
# What starts a formula: a sign or a control at the beginning of a cell. Some programs pass over blanks and quotes
# before it, and where lists are written with semicolons a cell begins after each of them, too.
_FORMULA = re.compile(rf"""(^|;)(?=[\s"]*(?:[{re.escape(_SIGNS)}\t\r\n\0]|\\x(?:09|0a|0d|00)))""")


def visible(text: str) -> str:
    r"""`text` with every character that could drive or confuse a terminal written as \xNN, \uNNNN or \UNNNNNNNN.

    Accents, CJK, emoji and spaces pass unchanged, and so does the backslash: the result is for people and is
    not meant to be read back. A byte smuggled in as a surrogate (os.fsdecode) is shown as that byte, \xNN.
    Applying it twice changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible_character, text))


def spreadsheet_safe(text: str) -> str:
    """`text` as a text cell that no spreadsheet takes for a formula: a leading = + - @ tab, CR, LF or NUL (also as
    `visible` writes it, and after blanks, quotes or a semicolon) gets an apostrophe before it. Never for numbers,
    whose minus sign is meant. Applying it twice changes nothing."""
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
