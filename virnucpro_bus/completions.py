"""The last completed files of one host, as their workers have told of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from operator import attrgetter

from virnucpro_bus.events import Envelope

KEPT_FILES = 100
_LATE_AT_ONCE = 500
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
        if len(self._late) >= _LATE_AT_ONCE:
            self._settle()

    def _settle(self) -> None:
        if self._late:
            self.kept = deque(sorted([*self.kept, *self._late], key=_by_time), KEPT_FILES)
            self.newest_ns = self.kept[-1].mono_ns
            self._late = []
