"""The latest completed files: those behind a device's throughput, and the last 100 of a host. Pure.

What these hold depends on the set of completions alone, not on the order in which they were added. Late ones are
collected first, then put in their place many at a time: one by one, a filled gap of n events would cost n².
"""

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
"""A RollingWindow holds the files of the last WINDOW_SECONDS, and at least this many."""
KEPT_FILES = 100
"""How many files Completions holds."""
EARLIEST_NS = -(2**63)
"""Earlier starts, centuries before the host's boot, count as this: the least value that a snapshot can hold."""
_LATE_SPANS_AT_ONCE = 1_000
_LATE_FILES_AT_ONCE = 500
_by_time = attrgetter("mono_ns", "source", "epoch", "seq")


class Span(NamedTuple):
    """Work done between two times on one host's axis of time. Sorts by its end."""

    end_ns: int
    start_ns: int
    sequences: int


class RollingWindow:
    """The files that a device completed in the last 60 s, or the last 10, whichever are more. Not thread-safe."""

    __slots__ = ("_late", "_spans")

    def __init__(self, spans: Iterable[tuple[int, int, int]] = ()) -> None:
        """`spans` are those of an earlier window, as its iteration gave them."""
        # Each is a Span as a plain tuple, which costs a tenth to make.
        self._spans = deque(spans)
        self._late: list[tuple[int, int, int]] = []

    def __len__(self) -> int:
        self._settle()
        return len(self._spans)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """The spans as plain tuples, by their ends."""
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
            if len(self._late) > _LATE_SPANS_AT_ONCE + len(spans) // 8:
                self._settle()
            return
        # A span that is dropped here could not come back: later completions only move both limits forward.
        if len(spans) > WINDOW_FILES:
            oldest_ns = end_ns - WINDOW_SECONDS * NANOSECONDS
            while len(spans) > WINDOW_FILES and spans[0][0] < oldest_ns:
                spans.popleft()

    def throughput(self, now_ns: int, in_progress: Iterable[Span] = (), since_ns: int = 0) -> float | None:
        """Sequences per second from the start of the oldest file in the window until `now_ns`.

        Files that ended before `since_ns`, the start of the session, do not count: nor does the pause after them.
        `in_progress` are the files being worked on, with the sequences done so far. The rate falls while a device
        idles, because the time until now counts. None before the first completion or progress.
        """
        oldest_ns = now_ns - WINDOW_SECONDS * NANOSECONDS
        self._settle()
        chosen = [span for span in self._spans if span[0] >= oldest_ns]
        if len(chosen) < WINDOW_FILES:
            chosen = list(self._spans)[-WINDOW_FILES:]
        if since_ns:
            chosen = [span for span in chosen if span[0] >= since_ns]
        chosen.extend(in_progress)
        if not chosen:
            return None
        elapsed_ns = now_ns - min(start_ns for _, start_ns, _ in chosen)
        if elapsed_ns <= 0:
            return None
        return sum(sequences for _, _, sequences in chosen) * NANOSECONDS / elapsed_ns

    def _settle(self) -> None:
        """Put late spans in their place."""
        if self._late:
            spans = sorted([*self._spans, *self._late])
            oldest_ns = spans[-1][0] - WINDOW_SECONDS * NANOSECONDS
            first = min(bisect_left(spans, (oldest_ns,)), max(0, len(spans) - WINDOW_FILES))
            self._spans, self._late = deque(spans[first:]), []


class Completions:
    """The last 100 completions of a host, by its axis of time. Not thread-safe."""

    __slots__ = ("_late", "kept", "newest_ns")

    def __init__(self, kept: Iterable[Envelope] = ()) -> None:
        """`kept` are those of earlier Completions, as its iteration gave them."""
        self.newest_ns = -1
        """The time of the last one in `kept`. The owner may append a later one there, which saves a call."""
        self.kept: deque[Envelope] = deque(maxlen=KEPT_FILES)
        self._late: list[Envelope] = list(kept)

    def __iter__(self) -> Iterator[Envelope]:
        """Oldest first."""
        self._settle()
        return iter(self.kept)

    def add_late(self, completed: Envelope) -> None:
        """Add a completion that is not later than `newest_ns`."""
        self._late.append(completed)
        if len(self._late) >= _LATE_FILES_AT_ONCE:
            self._settle()

    def _settle(self) -> None:
        """Put late completions in their place."""
        if self._late:
            self.kept = deque(sorted([*self.kept, *self._late], key=_by_time), KEPT_FILES)
            self.newest_ns = self.kept[-1].mono_ns
            self._late = []
