"""Values that a caller passes to a publisher, made fit for an event: texts are cut, numbers are checked.

Without this an event could leave the publisher that every hub refuses, since an encoder checks no ranges.
"""

from __future__ import annotations

import os

from virnucpro_bus.events.vocabulary import MAX_COUNT, NAME_CHARACTERS, REASON_CHARACTERS

MAX_SECONDS = 1e12


def as_text(text: str) -> str:
    """Return `text` as MessagePack can carry it: surrogates, bytes that were not UTF-8, are written out."""
    return text.encode(errors="backslashreplace").decode()


def as_reason(text: str) -> str:
    """Return `text`, cut to REASON_CHARACTERS."""
    return as_text(text)[:REASON_CHARACTERS]


def as_file_name(file: str | os.PathLike[str]) -> str:
    """Return the base name of a path, cut to its last REASON_CHARACTERS."""
    return as_text(os.path.basename(os.fspath(file)))[-REASON_CHARACTERS:]


def as_name(name: str) -> str:
    """Return the name of a device, a source or a run, cut to NAME_CHARACTERS."""
    return as_text(name)[:NAME_CHARACTERS]


def as_count(name: str, number: int) -> int:
    """Return `number` as an integer. Raises ValueError, with the argument's `name`, when it is not a count."""
    count = int(number)
    if not 0 <= count <= MAX_COUNT:
        raise ValueError(f"{name}: must be a count from 0 to {MAX_COUNT}, not {number}")
    return count


def as_seconds(number: float) -> float:
    """Return `number` as a float. Raises ValueError when it is not a duration."""
    seconds = float(number)
    if not 0.0 <= seconds <= MAX_SECONDS:
        raise ValueError(f"duration_seconds: must be from 0 to {MAX_SECONDS:g} seconds, not {number}")
    return seconds
