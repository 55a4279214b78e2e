"""Which sequence numbers of one stream were received: the arithmetic behind published = received + lost."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise


# A plain class, because its fields are set with every event: four times as fast as in a Struct.
@dataclass(slots=True, eq=False)
class SequenceTracker:
    """The set of sequence numbers (1, 2, 3 …) received so far, as ranges. Not thread-safe.

    Memory grows with the number of gaps, not with the number of events. The newest range is kept apart, so that
    the usual case, the expected number, is one comparison.
    """

    expected: int = 1
    """One more than the highest number received."""
    _newest_start: int = 1
    _starts: list[int] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Check what was read from a snapshot. Raises ValueError when it is not a set of ranges in order."""
        if not self._starts and not self._ends and 1 == self._newest_start <= self.expected:
            return
        ranges = [*zip(self._starts, self._ends, strict=True), (self._newest_start, self.expected)]
        limits = [limit for each in ranges for limit in each]
        if limits[0] < 1 or any(low >= high for low, high in pairwise(limits)):
            raise ValueError("not a set of sequence numbers")

    def add(self, seq: int) -> bool:
        """Add `seq` (>= 1). Returns False when it was received before."""
        if seq == self.expected:
            self.expected = seq + 1
            return True
        if seq > self.expected:
            if self.expected > self._newest_start:
                self._starts.append(self._newest_start)
                self._ends.append(self.expected)
            self._newest_start = seq
            self.expected = seq + 1
            return True
        if seq >= self._newest_start:
            return False
        return self._fill(seq)

    def _fill(self, seq: int) -> bool:
        """Add a number below the newest range, unless it is in another range. Returns whether it was in a gap."""
        starts, ends = self._starts, self._ends
        at = bisect_right(starts, seq)
        if at and seq < ends[at - 1]:
            return False
        joins_left = bool(at) and ends[at - 1] == seq
        if at == len(starts) and seq + 1 == self._newest_start:
            self._newest_start = seq
            if joins_left:
                self._newest_start = starts.pop()
                ends.pop()
            return True
        joins_right = at < len(starts) and starts[at] == seq + 1
        if joins_left and joins_right:
            ends[at - 1] = ends.pop(at)
            del starts[at]
        elif joins_left:
            ends[at - 1] = seq + 1
        elif joins_right:
            starts[at] = seq
        else:
            starts.insert(at, seq)
            ends.insert(at, seq + 1)
        return True

    @property
    def published(self) -> int:
        """How many events the source is known to have published: the highest number received."""
        return self.expected - 1

    @property
    def received(self) -> int:
        """How many different numbers were received."""
        return self.expected - self._newest_start + sum(self._ends) - sum(self._starts)

    @property
    def lost(self) -> int:
        """Numbers that were published and not received."""
        return self.published - self.received

    def includes(self, other: SequenceTracker) -> bool:
        """Whether all numbers that `other` has received were received here too."""
        starts, ends = [*self._starts, self._newest_start], [*self._ends, self.expected]
        for start, end in zip([*other._starts, other._newest_start], [*other._ends, other.expected], strict=True):
            at = bisect_right(starts, start) - 1
            if start < end and (at < 0 or ends[at] < end):
                return False
        return True

    def missing(self) -> list[tuple[int, int]]:
        """The gaps as (first, last), both included, lowest first."""
        gaps = []
        low = 1
        for start, end in zip([*self._starts, self._newest_start], [*self._ends, self.expected], strict=True):
            if start > low:
                gaps.append((low, start - 1))
            low = end
        return gaps
