"""The work that one device has done, added up. Pure; the order of additions does not matter.

Times are whole nanoseconds, so the totals are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from operator import sub
from typing import NamedTuple

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect.duration_model import FILES_SAMPLED

# Fibonacci hashing (Knuth): the hashes of times that are close together are far apart.
_HASH_FACTOR = 0x9E3779B97F4A7C15
_HASH_MASK = 2**64 - 1


class TimedFile(NamedTuple):
    """A completed file: when it ended, by the host's monotonic clock, its work, and how long it took."""

    end_ns: int
    work: int
    seconds: float


@dataclass(slots=True, eq=False)
class DeviceTotals:
    """What one device has completed and failed in one session. Not thread-safe.

    Times are by the host's monotonic clock. Work is as estimated in the plan, at least 1 per file.
    """

    files: int = 0
    """Completed files; the next three are about these."""
    took_ns: int = 0
    """How long all of them took."""
    longest_ns: int = 0
    """How long the longest one took."""
    work: int = 0
    """The estimated work of all of them."""
    attempts: int = 0
    """Failed attempts."""
    failed_ns: int = 0
    """How long all failed attempts took."""
    first_ns: int | None = None
    """When the first of these files or attempts began; None before the first has ended, like the next one."""
    last_ns: int | None = None
    """When the last of them ended."""
    _sampled: list[tuple[int, TimedFile]] = field(default_factory=list)
    """(hash, file) of the completed files from which the cost of any file, and changes of speed, are learned."""
    _timeline: list[TimedFile] | None = field(default=None, repr=False)
    """Kept until more files are completed; None: not needed since then."""

    def complete(self, works: Sequence[int], ends_ns: Sequence[int], seconds: Sequence[float]) -> None:
        """Add completed files, at least one: the estimated work, the end and the duration of each."""
        took_ns = [round(each * NANOSECONDS) for each in seconds]
        self.files += len(took_ns)
        self.took_ns += sum(took_ns)
        self.longest_ns = max(self.longest_ns, max(took_ns))
        self.work += sum(works)
        self._extend(min(map(sub, ends_ns, took_ns)), max(ends_ns))
        # The sample is random, but the same for any order: the hash of a file depends on its end alone.
        hashes = [end_ns * _HASH_FACTOR & _HASH_MASK for end_ns in ends_ns]
        greatest = nsmallest(FILES_SAMPLED, hashes)[-1]
        drawn = [
            (hash_, TimedFile(end_ns, work, its_seconds))
            for hash_, end_ns, work, its_seconds in zip(hashes, ends_ns, works, seconds, strict=True)
            if hash_ <= greatest
        ]
        self._sampled, self._timeline = sorted(self._sampled + drawn)[:FILES_SAMPLED], None

    def fail(self, end_ns: int, seconds: float) -> None:
        """Add a failed attempt."""
        took_ns = round(seconds * NANOSECONDS)
        self.attempts += 1
        self.failed_ns += took_ns
        self._extend(end_ns - took_ns, end_ns)

    def _extend(self, first_ns: int, last_ns: int) -> None:
        self.first_ns = first_ns if self.first_ns is None else min(self.first_ns, first_ns)
        self.last_ns = last_ns if self.last_ns is None else max(self.last_ns, last_ns)

    def sampled_files(self) -> list[tuple[int, float]]:
        """(work, seconds) of up to FILES_SAMPLED completed files, for `fixed_work`."""
        return [(file.work, file.seconds) for _, file in self._sampled]

    def timeline(self) -> list[TimedFile]:
        """The same files in the order of their ends; none that took no time. Not a copy."""
        if self._timeline is None:
            self._timeline = sorted(file for _, file in self._sampled if file.seconds >= 1 / NANOSECONDS)
        return self._timeline

    def rate(self, fixed: int) -> float | None:
        """Work per second, with `fixed` added to the work of every file; None before the first completed file."""
        if not self.took_ns:
            return None
        return (self.work + fixed * self.files) * NANOSECONDS / self.took_ns

    @property
    def done_seconds(self) -> float:
        """How long it worked on files and attempts that have ended."""
        return (self.took_ns + self.failed_ns) / NANOSECONDS

    @property
    def gap_seconds(self) -> float | None:
        """The mean time between two files or attempts; None before the second has ended."""
        files = self.files + self.attempts
        if files < 2 or self.first_ns is None or self.last_ns is None:
            return None
        idle_ns = self.last_ns - self.first_ns - self.took_ns - self.failed_ns
        return max(0, idle_ns) / NANOSECONDS / (files - 1)
