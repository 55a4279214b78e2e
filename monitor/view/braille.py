"""Areas below curves, drawn in braille: a character has two values beside each other, four steps high. Pure."""

from __future__ import annotations

from collections.abc import Sequence

VALUES_A_CELL = 2
STEPS_A_CELL = 4
_BLANK = 0x2800
_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""Of the left and the right column of a character, the lowest dot first, by Unicode's numbering."""


def area(values: Sequence[float | None], top: float, cells: int, lines: int) -> list[str]:
    """Return `lines` lines of `cells` characters, the highest first, with the latest value at the right.

    `top` is the value of a full height; if it is 0 every known value has the lowest step. A known value has one
    step at least, so that it differs from an unknown one, which is blank.
    """
    steps = STEPS_A_CELL * lines
    heights = [_height(value, top, steps) for value in values[-VALUES_A_CELL * cells :]]
    heights = [0] * (VALUES_A_CELL * cells - len(heights)) + heights
    pairs = list(zip(heights[::VALUES_A_CELL], heights[1::VALUES_A_CELL], strict=True))
    return ["".join(_character(pair, STEPS_A_CELL * line) for pair in pairs) for line in reversed(range(lines))]


def _height(value: float | None, top: float, steps: int) -> int:
    if value is None:
        return 0
    share = min(1.0, max(0.0, value / top)) if top > 0 else 0.0
    return max(1, round(share * steps))


def _character(heights: Sequence[int], below: int) -> str:
    """The character whose line has so many steps below it."""
    code = _BLANK
    for height, dots in zip(heights, _DOTS, strict=True):
        for dot in dots[: max(0, height - below)]:
            code |= dot
    # A font without braille has a box for its blank too.
    return chr(code) if code != _BLANK else " "
