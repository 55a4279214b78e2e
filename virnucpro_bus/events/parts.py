"""Divides what is too much for one event among several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import TypeVar

Item = TypeVar("Item")


def parts_of(
    items: Iterable[Item], bytes_of: Callable[[Item], int], *, most_bytes: int, most_items: float = inf
) -> Iterator[list[Item]]:
    """Yield `items` in order, in parts of at most so many items and bytes; without items, no part.

    `bytes_of` returns what one item takes in a frame. A part has at least one item, however big that is.
    """
    part: list[Item] = []
    part_bytes = 0
    for item in items:
        item_bytes = bytes_of(item)
        if part and (len(part) == most_items or part_bytes + item_bytes > most_bytes):
            yield part
            part, part_bytes = [], 0
        part.append(item)
        part_bytes += item_bytes
    if part:
        yield part
