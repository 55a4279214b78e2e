"""Numbers that a user's program passes, checked: the publisher, the coordinator and the dashboard take them alike.

A number of another library is converted. What cannot be right, or is not a number at all (a bool, a text), raises
ValueError with the name of the argument.
"""

from __future__ import annotations

import math
import operator
from contextlib import suppress

from virnucpro_bus.events.vocabulary import MAX_COUNT
from virnucpro_bus.text import text_of

MAX_SECONDS = 1e12
"""The longest duration that an event can hold."""
_SHOWN_CHARACTERS = 80
"""Of a value that is wrong."""
_TEXTS = (str, bytes, bytearray)
"""Types that int() or float() would convert, though a caller who passes them has probably mixed up something."""


def as_count(name: str, number: object) -> int:
    """Return `number` as an integer. Raises ValueError when it is not a whole number from 0 to MAX_COUNT."""
    if type(number) is int and 0 <= number <= MAX_COUNT:
        return number  # nearly always: every event of a worker passes here
    count = _whole_number(number)
    if count is None or not 0 <= count <= MAX_COUNT:
        raise ValueError(f"{name}: must be a count from 0 to {MAX_COUNT}, not {shown(number)}")
    return count


def as_figure(name: str, number: object, least: float, most: float, unit: str = "") -> float:
    """Return `number` as a float. Raises ValueError when it is not a number from `least` to `most`, in `unit`."""
    figure = number if type(number) is float else _float(number)
    if not least <= figure <= most:
        raise ValueError(f"{name}: must be from {least:g} to {most:g}{unit and f' {unit}'}, not {shown(number)}")
    return figure


def as_seconds(name: str, number: object, least: float = 0.0, most: float = MAX_SECONDS) -> float:
    """Return a duration as a float. Raises ValueError when it is not from `least` to `most`."""
    return as_figure(name, number, least, most, "seconds")


def is_bool(value: object) -> bool:
    """Whether `value` is a bool, also one of another library (numpy.bool, which is not Python's)."""
    return type(value).__name__ in ("bool", "bool_")


def shown(value: object) -> str:
    """Return a wrong value as the beginning of its text, for a message."""
    return text_of(value)[:_SHOWN_CHARACTERS]


def _float(number: object) -> float:
    """The float that a number of another type is; NaN when it is none."""
    if isinstance(number, _TEXTS) or is_bool(number):
        return math.nan
    try:
        return float(number)  # type: ignore[arg-type]
    except Exception:  # another library's number may raise anything
        return math.nan


def _whole_number(number: object) -> int | None:
    """The integer that a number of another type is, such as 250.0; None when it is none."""
    if isinstance(number, _TEXTS) or is_bool(number):
        return None
    with suppress(Exception):  # another library's number may raise anything
        return operator.index(number)  # type: ignore[arg-type]
    figure = _float(number)
    with suppress(Exception):
        return int(figure) if figure.is_integer() and figure == number else None
    return None
