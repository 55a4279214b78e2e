"""The rolling window behind a device's throughput. Pure: the time is passed in."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from virnucpro_bus.clock import NANOSECONDS

WINDOW_SECONDS = 60
WINDOW_FILES = 10


class Span(NamedTuple):
    """Work done between two moments of one host's monotonic clock. Sorts by its end."""

    end_ns: int
    start_ns: int
    sequences: int


class RollingWindow:
    """The completions of the last 60 s or the last 10 files, whichever holds more.

    What it holds depends on the set of completions alone, not on the order in which they were added, so a
    completion that arrives late ends in the same state as one in time. Not thread-safe.
    """

    __slots__ = ("_spans",)

    def __init__(self) -> None:
        # Each is a Span, as the plain tuple that costs a tenth to make.
        self._spans: deque[tuple[int, int, int]] = deque()

    def __len__(self) -> int:
        return len(self._spans)

    def add(self, start_ns: int, end_ns: int, sequences: int) -> None:
        """Add one completed file."""
        spans = self._spans
        span = (end_ns, start_ns, sequences)
        if not spans or span >= spans[-1]:
            spans.append(span)
        else:
            insort(spans, span)
            end_ns = spans[-1][0]
        # Nothing that is dropped here could come back: later completions only move both limits forward.
        if len(spans) > WINDOW_FILES:
            oldest_ns = end_ns - WINDOW_SECONDS * NANOSECONDS
            while len(spans) > WINDOW_FILES and spans[0][0] < oldest_ns:
                spans.popleft()

    def throughput(self, now_ns: int, in_hand: Iterable[Span] = ()) -> float | None:
        """Sequences per second from the start of the oldest file in the window until `now_ns`.

        `in_hand` are files still being worked on, with the sequences done so far. It falls while a device idles,
        since the time until now counts. None when there is nothing to go by.
        """
        oldest_ns = now_ns - WINDOW_SECONDS * NANOSECONDS
        surplus = len(self._spans) - WINDOW_FILES
        chosen = [Span(*span) for at, span in enumerate(self._spans) if at >= surplus or span[0] >= oldest_ns]
        chosen.extend(in_hand)
        if not chosen:
            return None
        elapsed_ns = now_ns - min(span.start_ns for span in chosen)
        if elapsed_ns <= 0:
            return None
        return sum(span.sequences for span in chosen) * NANOSECONDS / elapsed_ns
