"""What Dask's scheduler logs of its stealing, as steals: the messages on its topic "stealing". Pure.

The messages are tuples without a schema, which differ by version: what is not known here is ignored. A steal takes
several: "request", then "confirm", or that the victim has begun the task, or is gone. "confirm" alone is a steal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

TOPIC = "stealing"
_CONFIRMED = "confirm"


class DaskSteal(NamedTuple):
    """Dask has moved a task that had not begun."""

    key: str
    """Of the task."""
    victim: str
    """The address of the worker that had it …"""
    thief: str
    """… and of the one that has it now."""


def steals_in(message: object) -> Iterator[DaskSteal]:
    """Yield the steals that a message reports as done. It may be one entry, or several together."""
    match message:
        case [str(kind), str(key), _, str(victim), str(thief), *_] if kind == _CONFIRMED:
            yield DaskSteal(key, victim, thief)
        case [str(), *_]:
            return
        case [*entries]:
            for entry in entries:
                # Not deeper: an entry has no entries of its own.
                if isinstance(entry, list | tuple) and entry and isinstance(entry[0], str):
                    yield from steals_in(entry)
