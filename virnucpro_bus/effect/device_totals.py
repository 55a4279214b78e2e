"""What one device has done, added up. Pure, and the same whatever the order in which it is told.

Times are whole nanoseconds, so sums are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from operator import sub

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect.duration_model import FILES_SAMPLED

# By Fibonacci hashing (Knuth) moments that are near each other lie far apart.
_SCATTER = 0x9E3779B97F4A7C15
_LOTS = 2**64 - 1


@dataclass(slots=True, eq=False)
class DeviceTotals:
    """Of one session. Moments are by the host's monotonic clock. Not thread-safe."""

    files: int = 0
    """Completed ones."""
    took_ns: int = 0
    """All of these together."""
    longest_ns: int = 0
    work: int = 0
    """Theirs, as estimated, at least 1 a file."""
    attempts: int = 0
    """Failed ones."""
    failed_ns: int = 0
    first_ns: int | None = None
    """When it took its first file; None before it has put one down, as for the next."""
    last_ns: int | None = None
    """When it last put one down."""
    _heard: list[tuple[int, int, float]] = field(default_factory=list)
    """(lot, work, seconds) of files from which is learned what every file costs."""

    def complete(self, works: Sequence[int], ends_ns: Sequence[int], seconds: Sequence[float]) -> None:
        """Files are done, at least one: the estimated work of each, at least 1, its end, and what it took."""
        took_ns = [round(each * NANOSECONDS) for each in seconds]
        self.files += len(took_ns)
        self.took_ns += sum(took_ns)
        self.longest_ns = max(self.longest_ns, max(took_ns))
        self.work += sum(works)
        self._put_down(min(map(sub, ends_ns, took_ns)), max(ends_ns))
        # Who is heard is drawn by lot, and the lot of a file is the same whatever came before it.
        lots = [end_ns * _SCATTER & _LOTS for end_ns in ends_ns]
        drawn = nsmallest(FILES_SAMPLED, zip(lots, works, seconds, strict=True))
        self._heard = sorted(self._heard + drawn)[:FILES_SAMPLED]

    def fail(self, end_ns: int, seconds: float) -> None:
        """An attempt has failed."""
        took_ns = round(seconds * NANOSECONDS)
        self.attempts += 1
        self.failed_ns += took_ns
        self._put_down(end_ns - took_ns, end_ns)

    def _put_down(self, first_ns: int, last_ns: int) -> None:
        self.first_ns = first_ns if self.first_ns is None else min(self.first_ns, first_ns)
        self.last_ns = last_ns if self.last_ns is None else max(self.last_ns, last_ns)

    def sampled_files(self) -> list[tuple[int, float]]:
        """(work, seconds) of up to FILES_HEARD completed files, for `fixed_work`."""
        return [(work, seconds) for _, work, seconds in self._heard]

    def rate(self, fixed: int) -> float | None:
        """Work per second, `fixed` being what every file costs; None when it has completed nothing."""
        if not self.took_ns:
            return None
        return (self.work + fixed * self.files) * NANOSECONDS / self.took_ns

    @property
    def done_seconds(self) -> float:
        """How long it worked on files that it has put down."""
        return (self.took_ns + self.failed_ns) / NANOSECONDS

    @property
    def gap_seconds(self) -> float | None:
        """The mean time between two files that it has put down; None before the second."""
        files = self.files + self.attempts
        if files < 2 or self.first_ns is None or self.last_ns is None:
            return None
        idle_ns = self.last_ns - self.first_ns - self.took_ns - self.failed_ns
        return max(0, idle_ns) / NANOSECONDS / (files - 1)
