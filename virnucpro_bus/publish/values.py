"""Values that a caller passes to a publisher, made fit for an event: texts are cut, numbers are checked.

Without this an event could leave the publisher that every hub refuses, since an encoder checks no ranges. What has
an obvious meaning is converted (an exception as a reason, a path, a number of another library); the rest raises
ValueError.
"""

from __future__ import annotations

import math
import os

from virnucpro_bus.devices import device_of
from virnucpro_bus.events.vocabulary import MAX_COUNT, NAME_CHARACTERS, REASON_CHARACTERS, Device

MAX_SECONDS = 1e12
_SHOWN_CHARACTERS = 80
"""Of a value that is wrong."""


def as_text(text: str) -> str:
    """Return `text` as MessagePack can carry it: surrogates, bytes that were not UTF-8, are written out."""
    return text.encode(errors="backslashreplace").decode()


def as_reason(reason: object) -> str:
    """Return a reason as text, cut to REASON_CHARACTERS: an exception's type and message; None is "unknown"."""
    if reason is None:
        return "unknown"
    text = _text_of(reason)
    if isinstance(reason, BaseException):
        name = type(reason).__name__
        text = f"{name}: {text}" if text else name
    return as_text(text)[:REASON_CHARACTERS]


def as_file_name(file: object) -> str:
    """Return the base name of a path, cut to its last REASON_CHARACTERS. Raises ValueError for anything else."""
    try:
        path: str | bytes = os.fspath(file)  # type: ignore[call-overload]
    except TypeError:
        raise ValueError(f"file: must be a path, not {_shown(file)}") from None
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    return as_text(os.path.basename(path))[-REASON_CHARACTERS:]


def as_name(name: str) -> str:
    """Return the name of a device, a source or a run, cut to NAME_CHARACTERS."""
    return as_text(name)[:NAME_CHARACTERS]


def as_device(device: object) -> Device:
    """Return the device of a key, a CUDA ordinal or a Device. Raises ValueError for None."""
    if device is None:
        raise ValueError("source: must be a device, not None")
    return device if isinstance(device, Device) else device_of(str(device))


def as_count(name: str, number: object) -> int:
    """Return `number` as an integer. Raises ValueError, with the argument's `name`, when it is not a count."""
    try:
        count: int = int(number)  # type: ignore[call-overload]
    except Exception:  # another library's number may raise anything
        count = -1
    if not 0 <= count <= MAX_COUNT:
        raise ValueError(f"{name}: must be a count from 0 to {MAX_COUNT}, not {_shown(number)}")
    return count


def as_seconds(number: object) -> float:
    """Return a duration as a float. A negative one, by a clock that was set back, is 0. Raises ValueError."""
    try:
        seconds = float(number)  # type: ignore[arg-type]
    except Exception:  # as above
        seconds = math.nan
    if not seconds <= MAX_SECONDS:
        raise ValueError(f"duration_seconds: must be from 0 to {MAX_SECONDS:g} seconds, not {_shown(number)}")
    return max(0.0, seconds)


def _text_of(value: object) -> str:
    """Return `value` as text; the name of its type when it cannot be converted."""
    try:
        return str(value)
    except Exception:  # a user's own class
        return type(value).__name__


def _shown(value: object) -> str:
    return _text_of(value)[:_SHOWN_CHARACTERS]
