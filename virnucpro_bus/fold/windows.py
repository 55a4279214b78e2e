"""The rolling window behind a device's throughput. Pure: the time is passed in."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.envelope import Envelope

WINDOW_SECONDS = 60
WINDOW_FILES = 10
_LATE_AT_ONCE = 1_000
EARLIEST_NS = -(2**63)
"""What began before this, centuries before its host did, is taken to have begun then: a snapshot holds no more."""


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

    __slots__ = ("_late", "_spans")

    def __init__(self, spans: Iterable[tuple[int, int, int]] = ()) -> None:
        """`spans` are those that a window held before, as iteration gave them."""
        # Each is a Span, as the plain tuple that costs a tenth to make.
        self._spans = deque(spans)
        # What came out of order. Put in place many at a time: one by one, a filled gap costs its square.
        self._late: list[tuple[int, int, int]] = []

    def __len__(self) -> int:
        self._settle()
        return len(self._spans)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        self._settle()
        return iter(self._spans)

    def add(self, start_ns: int, end_ns: int, sequences: int) -> None:
        """Add one completed file."""
        spans = self._spans
        if start_ns < EARLIEST_NS:
            start_ns = EARLIEST_NS
        span = (end_ns, start_ns, sequences)
        if not spans or span >= spans[-1]:
            spans.append(span)
        else:
            self._late.append(span)
            if len(self._late) > _LATE_AT_ONCE + len(spans) // 8:
                self._settle()
            return
        # Nothing that is dropped here could come back: later completions only move both limits forward.
        if len(spans) > WINDOW_FILES:
            oldest_ns = end_ns - WINDOW_SECONDS * NANOSECONDS
            while len(spans) > WINDOW_FILES and spans[0][0] < oldest_ns:
                spans.popleft()

    def _settle(self) -> None:
        """Put what came late in its place."""
        if self._late:
            spans = sorted([*self._spans, *self._late])
            oldest_ns = spans[-1][0] - WINDOW_SECONDS * NANOSECONDS
            first = min(bisect_left(spans, (oldest_ns,)), max(0, len(spans) - WINDOW_FILES))
            self._spans, self._late = deque(spans[first:]), []

    def throughput(self, now_ns: int, in_hand: Iterable[Span] = ()) -> float | None:
        """Sequences per second from the start of the oldest file in the window until `now_ns`.

        `in_hand` are files still being worked on, with the sequences done so far. It falls while a device idles,
        since the time until now counts. None when there is nothing to go by.
        """
        oldest_ns = now_ns - WINDOW_SECONDS * NANOSECONDS
        self._settle()
        chosen = [span for span in self._spans if span[0] >= oldest_ns]
        if len(chosen) < WINDOW_FILES:
            chosen = list(self._spans)[-WINDOW_FILES:]
        chosen.extend(in_hand)
        if not chosen:
            return None
        elapsed_ns = now_ns - min(start_ns for _, start_ns, _ in chosen)
        if elapsed_ns <= 0:
            return None
        return sum(sequences for _, _, sequences in chosen) * NANOSECONDS / elapsed_ns


KEPT_FILES = 100
_LATE_FILES_AT_ONCE = 500
_by_time = attrgetter("mono_ns", "source", "epoch", "seq")


class Completions:
    """The 100 that were done last by their host's monotonic clock, in any order of arrival. Not thread-safe."""

    __slots__ = ("_late", "kept", "newest_ns")

    def __init__(self, kept: Iterable[Envelope] = ()) -> None:
        """`kept` are those that another one held before, as iteration gave them."""
        self.newest_ns = -1
        """When the last of `kept` was done; what was done later may be appended there, which saves a call."""
        self.kept: deque[Envelope] = deque(maxlen=KEPT_FILES)
        self._late: list[Envelope] = list(kept)

    def __iter__(self) -> Iterator[Envelope]:
        """Oldest first."""
        self._settle()
        return iter(self.kept)

    def add_late(self, completed: Envelope) -> None:
        """Take in one that was done no later than the newest."""
        self._late.append(completed)
        if len(self._late) >= _LATE_FILES_AT_ONCE:
            self._settle()

    def _settle(self) -> None:
        if self._late:
            self.kept = deque(sorted([*self.kept, *self._late], key=_by_time), KEPT_FILES)
            self.newest_ns = self.kept[-1].mono_ns
            self._late = []
