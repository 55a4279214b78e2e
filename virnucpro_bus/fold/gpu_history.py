"""The history of one GPU's samples: fine for the last half minute, coarser further back, for a day.

Samples are combined in buckets of a fixed width. A level keeps the newest 64 of one width; the buckets of each
level are five times as wide as those of the level before, so the size of a history does not grow with time.
Pure, and the result does not depend on the order of arrival: only whole numbers are added.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple, Protocol

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.vocabulary import GpuSampled

UNKNOWN = -1
"""Stands for a figure of a bucket that is not known."""
SLOTS = 64
WIDTHS_NS = tuple(NANOSECONDS // 2 * 5**level for level in range(6))
"""Of the buckets of each level: from half a second, the interval between samples, to 26 minutes."""
NEAR_NS = NANOSECONDS
"""A time between two samples has the figures of these two, if they are no further away than this. For as long the
energy counter is assumed to rise evenly before the first sample and after the last."""
MAX_SILENCE_NS = 3 * NANOSECONDS
"""In a longer gap between samples it is unknown when the energy was used."""
_FRESH_AT_ONCE = 500


class SampleBucket(NamedTuple):
    """Samples of one GPU, combined. Sorts by the time of the last one."""

    last_ns: int
    """The host's monotonic time of the last sample."""
    known: int
    """How many of the samples report the utilization."""
    hundredths_sum: int
    """The sum of these utilizations, in hundredths of a percent."""
    hundredths_max: int
    """The greatest of them; UNKNOWN without any."""
    memory_bytes: int
    """The most memory in use at any of the samples; UNKNOWN where none reports it."""
    energy_millijoules: int
    """The energy counter at the last sample; UNKNOWN where that does not report it."""


PlainBucket = tuple[int, int, int, int, int, int]
"""The fields of a SampleBucket as a plain tuple, which takes a third of the time to make: one is made for every
sample and for each of its levels."""
_LAST_NS = SampleBucket._fields.index("last_ns")


class SortedBuckets(Protocol):
    """A sequence of buckets in the order of time."""

    def __len__(self) -> int: ...

    def __getitem__(self, at: int, /) -> PlainBucket: ...


class GpuFigures(NamedTuple):
    """What a GPU did during an interval. Every field may be unknown (None) on its own."""

    compute_percent: float | None = None
    """The mean of the samples."""
    memory_peak_bytes: int | None = None
    """The greatest of the samples."""
    energy_joules: float | None = None


class GpuHistory:
    """The samples of one GPU, in buckets. Not thread-safe."""

    __slots__ = ("_fresh", "_levels", "_pending")

    def __init__(self, levels: Iterable[Iterable[PlainBucket]] = ()) -> None:
        """`levels` are those of an earlier history, as its iteration gave them.

        Raises ValueError if their number is not that of WIDTHS_NS.
        """
        self._levels: tuple[dict[int, PlainBucket], ...] = tuple({} for _ in WIDTHS_NS)
        # Samples are put in their buckets many at a time, which halves the cost: in the finest level when the load
        # is read, in the others when _FRESH_AT_ONCE are pending or a file's figures are read.
        self._fresh: list[PlainBucket] = []
        self._pending: list[PlainBucket] = []
        kept = [list(level) for level in levels]
        if kept:
            for width_ns, level, buckets in zip(WIDTHS_NS, self._levels, kept, strict=True):
                _put(buckets, width_ns, level)

    def __iter__(self) -> Iterator[list[PlainBucket]]:
        """The buckets of each level in the order of time, finest first."""
        self._settle()
        return (sorted(level.values()) for level in self._levels)

    def add(self, sample: PlainBucket) -> None:
        """Add one sample, as a bucket of its own. Adding it twice counts it twice."""
        self._fresh.append(sample)
        if len(self._fresh) >= _FRESH_AT_ONCE:
            self._settle()

    def load(self, interval_ns: int) -> tuple[float | None, float | None]:
        """Mean and greatest utilization in percent over `interval_ns` before the last sample; None: unknown."""
        self._settle(finest_only=interval_ns <= SLOTS * WIDTHS_NS[0])
        newest_ns = self._newest_ns()
        known = total = 0
        greatest = UNKNOWN
        width_ns, level = next(
            (each for each in self._each_level() if interval_ns <= SLOTS * each[0]),
            (WIDTHS_NS[-1], self._levels[-1]),
        )
        newest = newest_ns // width_ns
        oldest = max(newest - SLOTS, min(newest - 1, (newest_ns - interval_ns) // width_ns)) + 1
        for index in range(oldest, newest + 1):
            bucket = level.get(index % SLOTS)
            if bucket is not None:
                last_ns, its_known, its_sum, its_max, _, _ = bucket
                if last_ns // width_ns == index:
                    known += its_known
                    total += its_sum
                    greatest = max(greatest, its_max)
        return (total / known / 100, greatest / 100) if known else (None, None)

    def during(self, start_ns: int, end_ns: int) -> GpuFigures:
        """What the GPU did in that time of its host's monotonic clock, by the finest level that reaches so far.

        This includes samples up to the width of a bucket before the start or after the end. All figures are
        unknown if no level reaches so far.
        """
        self._settle()
        newest_ns = self._newest_ns()
        for width_ns, level in self._each_level():
            reach = newest_ns // width_ns - SLOTS
            if (start_ns - NEAR_NS) // width_ns - 1 > reach:
                buckets = sorted(bucket for bucket in level.values() if bucket[_LAST_NS] // width_ns > reach)
                return figures_between(buckets, width_ns, start_ns, end_ns)
        return GpuFigures()

    def _each_level(self) -> Iterator[tuple[int, dict[int, PlainBucket]]]:
        return zip(WIDTHS_NS, self._levels, strict=True)

    def _newest_ns(self) -> int:
        return max(self._levels[0].values(), default=(0,))[_LAST_NS]

    def _settle(self, *, finest_only: bool = False) -> None:
        if self._fresh:
            self._pending.extend(_put(self._fresh, WIDTHS_NS[0], self._levels[0]))
            self._fresh = []
        if self._pending and not (finest_only and len(self._pending) < _FRESH_AT_ONCE):
            buckets: Iterable[PlainBucket] = self._pending
            for width_ns, level in zip(WIDTHS_NS[1:], self._levels[1:], strict=True):
                buckets = _put(buckets, width_ns, level)
            self._pending = []


def bucket_of(at_ns: int, sample: GpuSampled) -> PlainBucket:
    """One sample as a bucket of its own, at that monotonic time of the host."""
    compute, memory, energy = sample.compute_percent, sample.memory_used_bytes, sample.energy_millijoules
    known, hundredths = (0, 0) if compute is None else (1, round(compute * 100))
    return (
        at_ns,
        known,
        hundredths,
        hundredths if known else UNKNOWN,
        UNKNOWN if memory is None else memory,
        UNKNOWN if energy is None else energy,
    )


def figures_between(buckets: SortedBuckets, width_ns: int, start_ns: int, end_ns: int) -> GpuFigures:
    """The figures from `start_ns` to `end_ns`, by buckets in the order of time.

    `width_ns` is the width of each bucket; 1 for single samples. All figures are unknown if no bucket lies within
    that time or at most NEAR_NS beside it.
    """
    first = bisect_left(buckets, (start_ns // width_ns * width_ns,))
    stop = bisect_left(buckets, ((end_ns // width_ns + 1) * width_ns,))
    if first == stop:
        # The last one before, and the first one after.
        beside = [SampleBucket(*buckets[at]) for at in (first - 1, first) if 0 <= at < len(buckets)]
        chosen = [each for each in beside if start_ns - NEAR_NS <= each.last_ns <= end_ns + NEAR_NS]
        weights = [1] * len(chosen)
    else:
        chosen = [SampleBucket(*buckets[at]) for at in range(first, stop)]
        # A bucket at either end counts for the part of it that lies within the time.
        begins = [each.last_ns // width_ns * width_ns for each in chosen]
        weights = [min(end_ns, at + width_ns - 1) - max(start_ns, at) + 1 for at in begins]
    known = sum(each.known * weight for each, weight in zip(chosen, weights, strict=True))
    total = sum(each.hundredths_sum * weight for each, weight in zip(chosen, weights, strict=True))
    peak = max((each.memory_bytes for each in chosen), default=UNKNOWN)
    return GpuFigures(
        compute_percent=total / known / 100 if known else None,
        memory_peak_bytes=None if peak == UNKNOWN else peak,
        energy_joules=_energy_joules(buckets, width_ns, start_ns, end_ns),
    )


def _energy_joules(buckets: SortedBuckets, width_ns: int, start_ns: int, end_ns: int) -> float | None:
    """How far the energy counter rose; between two samples it rises evenly.

    Before the first bucket and after the last it rises as between the two nearest ones: for NEAR_NS, or for the
    width of a bucket, because the time of the first sample in a bucket is unknown. None if the counter is not
    known all the time, or was reset.
    """
    near_ns, silence_ns = max(NEAR_NS, width_ns), max(MAX_SILENCE_NS, 2 * width_ns)
    before, after = bisect_left(buckets, (start_ns + 1,)) - 1, bisect_left(buckets, (end_ns,))
    if before < 0:
        before, after = 0, max(after, 1)
    if after >= len(buckets):
        before, after = min(before, len(buckets) - 2), len(buckets) - 1
    if before < 0:
        return None
    points = [SampleBucket(*buckets[at]) for at in range(before, after + 1)]
    first_ns, last_ns = points[0].last_ns, points[-1].last_ns
    if first_ns > start_ns + near_ns or last_ns < end_ns - near_ns:
        return None
    if first_ns < start_ns - silence_ns or last_ns > end_ns + silence_ns:
        return None
    counters = [point.energy_millijoules for point in points]
    if UNKNOWN in counters or any(later < earlier for earlier, later in pairwise(counters)):
        return None
    if len(points) < 2:
        return 0.0
    return max(0.0, _counter_at(end_ns, *points[-2:]) - _counter_at(start_ns, *points[:2])) / 1000


def _counter_at(at_ns: int, a: SampleBucket, b: SampleBucket) -> float:
    """The energy counter between two samples, or beside them, in millijoules."""
    rise = b.energy_millijoules - a.energy_millijoules
    return a.energy_millijoules + rise * (at_ns - a.last_ns) / max(1, b.last_ns - a.last_ns)


def _put(samples: Iterable[PlainBucket], width_ns: int, level: dict[int, PlainBucket]) -> Iterable[PlainBucket]:
    """Put samples in the buckets of a level; returns them as combined there, for the next level."""
    combined: dict[int, PlainBucket] = {}
    for sample in samples:
        index = sample[_LAST_NS] // width_ns
        known = combined.get(index)
        combined[index] = sample if known is None else _merged(known, sample)
    # A slot keeps the newest of all the buckets that belong there: no order can change which one that is.
    for index, bucket in combined.items():
        known = level.get(index % SLOTS)
        if known is None or known[_LAST_NS] // width_ns < index:
            level[index % SLOTS] = bucket
        elif known[_LAST_NS] // width_ns == index:
            level[index % SLOTS] = _merged(known, bucket)
    return combined.values()


def _merged(a: PlainBucket, b: PlainBucket) -> PlainBucket:
    a_ns, a_known, a_sum, a_most, a_memory, a_energy = a
    b_ns, b_known, b_sum, b_most, b_memory, b_energy = b
    if (b_ns, b_energy) > (a_ns, a_energy):
        last_ns, energy = b_ns, b_energy
    else:
        last_ns, energy = a_ns, a_energy
    return (
        last_ns,
        a_known + b_known,
        a_sum + b_sum,
        a_most if a_most > b_most else b_most,
        a_memory if a_memory > b_memory else b_memory,
        energy,
    )
