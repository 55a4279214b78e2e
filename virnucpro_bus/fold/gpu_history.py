"""What one GPU has looked like: fine for the last half minute, coarser the longer ago, for a day.

Looks are put together in buckets of a fixed width. A level keeps the newest 64 of one width; each level's are five
times as wide as those of the level before, so that a device takes the same little room however long it is watched.
Pure, and the same whatever the order of arrival: only whole numbers are added up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple, Protocol

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.vocabulary import GpuSampled

SampleBucket = tuple[int, int, int, int, int, int]
"""Some looks together. When the last of them was (the host's monotonic time in ns); how many of them tell the
utilization, its sum and its greatest, in hundredths of a percent; the most memory in use, in bytes; and the energy
counter of the last look, in mJ. The last three are NOT_TOLD where nobody could say."""
UNKNOWN = -1

SLOTS = 64
WIDTHS_NS = tuple(NANOSECONDS // 2 * 5**level for level in range(6))
"""Of the buckets of each level: from half a second, at which looks come, to 26 minutes."""
AROUND_NS = NANOSECONDS
"""What lies between two looks is told by these two, where they are no further away. So long the energy counter is
taken to have gone on evenly before the first look and after the last, too."""
FAR_NS = 3 * NANOSECONDS
"""Over a longer silence nobody knows how the energy was spent."""
_FRESH_AT_ONCE = 500


class SortedBuckets(Protocol):
    """A list of looks in the order of time, or what can be read like one."""

    def __len__(self) -> int: ...

    def __getitem__(self, at: int, /) -> SampleBucket: ...


class GpuFigures(NamedTuple):
    """What a GPU did while it worked on something. Every field may be unknown (None) on its own."""

    compute_percent: float | None = None
    """The mean of the looks."""
    memory_peak_bytes: int | None = None
    """The greatest of the looks."""
    energy_joules: float | None = None


def bucket_of(at_ns: int, sample: GpuSampled) -> SampleBucket:
    """One look, at that monotonic time of the host."""
    compute, memory, energy = sample.compute_percent, sample.memory_used_bytes, sample.energy_millijoules
    told, hundredths = (0, 0) if compute is None else (1, round(compute * 100))
    return (
        at_ns,
        told,
        hundredths,
        hundredths if told else UNKNOWN,
        UNKNOWN if memory is None else memory,
        UNKNOWN if energy is None else energy,
    )


def figures_between(looks: SortedBuckets, width_ns: int, start_ns: int, end_ns: int) -> GpuFigures:
    """The figures from `start_ns` to `end_ns`, by looks in the order of time.

    Each stands for a bucket of `width_ns`; 1 where they are single ones. All are unknown where no look lies within
    that time, nor as near as a second to it.
    """
    first = bisect_left(looks, (start_ns // width_ns * width_ns,))
    stop = bisect_left(looks, ((end_ns // width_ns + 1) * width_ns,))
    if first == stop:
        # The last one before, and the first one after.
        beside = [looks[at] for at in (first - 1, first) if 0 <= at < len(looks)]
        chosen = [each for each in beside if start_ns - AROUND_NS <= each[0] <= end_ns + AROUND_NS]
        shares = [1] * len(chosen)
    else:
        chosen = [looks[at] for at in range(first, stop)]
        # A bucket at either end counts for the part of it that lies within the time.
        begun = [each[0] // width_ns * width_ns for each in chosen]
        shares = [min(end_ns, at + width_ns - 1) - max(start_ns, at) + 1 for at in begun]
    told = sum(each[1] * share for each, share in zip(chosen, shares, strict=True))
    total = sum(each[2] * share for each, share in zip(chosen, shares, strict=True))
    peak = max((each[4] for each in chosen), default=UNKNOWN)
    return GpuFigures(
        compute_percent=total / told / 100 if told else None,
        memory_peak_bytes=None if peak == UNKNOWN else peak,
        energy_joules=_energy_joules(looks, width_ns, start_ns, end_ns),
    )


def _energy_joules(looks: SortedBuckets, width_ns: int, start_ns: int, end_ns: int) -> float | None:
    """How far the counter has gone on, which between two looks it does evenly.

    Before the first look and after the last it goes on as between the two that are nearest, for AROUND_NS, or for
    the width of a bucket, of which nobody knows when the first of its looks was. None where it was not told all
    the time, or has gone back.
    """
    around_ns, far_ns = max(AROUND_NS, width_ns), max(FAR_NS, 2 * width_ns)
    before, after = bisect_left(looks, (start_ns + 1,)) - 1, bisect_left(looks, (end_ns,))
    if before < 0:
        before, after = 0, max(after, 1)
    if after >= len(looks):
        before, after = min(before, len(looks) - 2), len(looks) - 1
    if before < 0:
        return None
    points = [(looks[at][0], looks[at][5]) for at in range(before, after + 1)]
    first_ns, last_ns = points[0][0], points[-1][0]
    if first_ns > start_ns + around_ns or last_ns < end_ns - around_ns:
        return None
    if first_ns < start_ns - far_ns or last_ns > end_ns + far_ns:
        return None
    if any(counter == UNKNOWN for _, counter in points) or any(b[1] < a[1] for a, b in pairwise(points)):
        return None
    if len(points) < 2:
        return 0.0
    return max(0.0, _counter_at(end_ns, *points[-2:]) - _counter_at(start_ns, *points[:2])) / 1000


def _counter_at(at_ns: int, a: tuple[int, int], b: tuple[int, int]) -> float:
    """The counter between two looks, or beside them."""
    return a[1] + (b[1] - a[1]) * (at_ns - a[0]) / max(1, b[0] - a[0])


class GpuHistory:
    """The looks at one GPU. Not thread-safe."""

    __slots__ = ("_fresh", "_levels", "_waiting")

    def __init__(self, levels: Iterable[Iterable[SampleBucket]] = ()) -> None:
        """`levels` are those that a history held before, as iteration gave them. Raises ValueError."""
        self._levels: tuple[dict[int, SampleBucket], ...] = tuple({} for _ in WIDTHS_NS)
        # Put in their places many at a time, which costs half: in the finest level whenever somebody asks for the
        # load, in the others when there are many, or somebody asks for what was long ago.
        self._fresh: list[SampleBucket] = []
        self._waiting: list[SampleBucket] = []
        kept = [list(level) for level in levels]
        if kept:
            for width_ns, level, buckets in zip(WIDTHS_NS, self._levels, kept, strict=True):
                _put(buckets, width_ns, level)

    def __iter__(self) -> Iterator[list[SampleBucket]]:
        """The buckets of each level in the order of time, finest first."""
        self._settle()
        return (sorted(level.values()) for level in self._levels)

    def add(self, look: SampleBucket) -> None:
        """Take one more look in, which nobody has told before."""
        self._fresh.append(look)
        if len(self._fresh) >= _FRESH_AT_ONCE:
            self._settle()

    def load(self, interval_ns: int) -> tuple[float | None, float | None]:
        """Mean and greatest utilization in percent, over so long before the last look; None where not told."""
        self._settle(finest_only=interval_ns <= SLOTS * WIDTHS_NS[0])
        newest_ns = self._newest_ns()
        told = total = 0
        greatest = UNKNOWN
        width_ns, level = next(
            (each for each in self._each_level() if interval_ns <= SLOTS * each[0]),
            (WIDTHS_NS[-1], self._levels[-1]),
        )
        newest = newest_ns // width_ns
        oldest = max(newest - SLOTS, min(newest - 1, (newest_ns - interval_ns) // width_ns)) + 1
        for index in range(oldest, newest + 1):
            bucket = level.get(index % SLOTS)
            if bucket is not None and bucket[0] // width_ns == index:
                told += bucket[1]
                total += bucket[2]
                greatest = max(greatest, bucket[3])
        return (total / told / 100, greatest / 100) if told else (None, None)

    def during(self, start_ns: int, end_ns: int) -> GpuFigures:
        """What the GPU did in that time of its host's monotonic clock, by the finest level that reaches so far.

        What came as little as a bucket before the start or after the end is in it, too. All is unknown where no
        level reaches so far.
        """
        self._settle()
        newest_ns = self._newest_ns()
        for width_ns, level in self._each_level():
            reach = newest_ns // width_ns - SLOTS
            if (start_ns - AROUND_NS) // width_ns - 1 > reach:
                looks = sorted(bucket for bucket in level.values() if bucket[0] // width_ns > reach)
                return figures_between(looks, width_ns, start_ns, end_ns)
        return GpuFigures()

    def _each_level(self) -> Iterator[tuple[int, dict[int, SampleBucket]]]:
        return zip(WIDTHS_NS, self._levels, strict=True)

    def _newest_ns(self) -> int:
        return max(self._levels[0].values(), default=(0,))[0]

    def _settle(self, *, finest_only: bool = False) -> None:
        if self._fresh:
            self._waiting.extend(_put(self._fresh, WIDTHS_NS[0], self._levels[0]))
            self._fresh = []
        if self._waiting and not (finest_only and len(self._waiting) < _FRESH_AT_ONCE):
            looks: Iterable[SampleBucket] = self._waiting
            for width_ns, level in zip(WIDTHS_NS[1:], self._levels[1:], strict=True):
                looks = _put(looks, width_ns, level)
            self._waiting = []


def _put(looks: Iterable[SampleBucket], width_ns: int, level: dict[int, SampleBucket]) -> Iterable[SampleBucket]:
    """Put looks in the buckets of a level; returns them as they are together there, for the next level."""
    together: dict[int, SampleBucket] = {}
    for look in looks:
        index = look[0] // width_ns
        known = together.get(index)
        together[index] = look if known is None else _merged(known, look)
    # A slot keeps the newest of all the buckets that would go there: which one that is no order can change.
    for index, bucket in together.items():
        known = level.get(index % SLOTS)
        if known is None or known[0] // width_ns < index:
            level[index % SLOTS] = bucket
        elif known[0] // width_ns == index:
            level[index % SLOTS] = _merged(known, bucket)
    return together.values()


def _merged(a: SampleBucket, b: SampleBucket) -> SampleBucket:
    a_ns, a_told, a_sum, a_most, a_memory, a_energy = a
    b_ns, b_told, b_sum, b_most, b_memory, b_energy = b
    if (b_ns, b_energy) > (a_ns, a_energy):
        last_ns, energy = b_ns, b_energy
    else:
        last_ns, energy = a_ns, a_energy
    return (
        last_ns,
        a_told + b_told,
        a_sum + b_sum,
        a_most if a_most > b_most else b_most,
        a_memory if a_memory > b_memory else b_memory,
        energy,
    )
