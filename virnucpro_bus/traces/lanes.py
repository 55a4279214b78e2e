"""Distributes intervals over lanes so that no two of a lane overlap, which trace viewers would draw wrongly."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Protocol, TypeVar


class Interval(Protocol):
    """Something from a start to an end, in nanoseconds."""

    @property
    def start_ns(self) -> int: ...  # noqa: D102

    @property
    def end_ns(self) -> int: ...  # noqa: D102


Some = TypeVar("Some", bound=Interval)


def in_lanes(intervals: Iterable[Some]) -> list[list[Some]]:
    """Put each interval, by its start, into the first lane that is free then: as few lanes as possible."""
    lanes: list[list[Some]] = []
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    """A heap of (until when, number of the lane)."""
    for interval in sorted(intervals, key=lambda each: (each.start_ns, each.end_ns)):
        while busy and busy[0][0] <= interval.start_ns:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if not free:
            free.append(len(lanes))
            lanes.append([])
        number = heapq.heappop(free)
        lanes[number].append(interval)
        heapq.heappush(busy, (interval.end_ns, number))
    return lanes
