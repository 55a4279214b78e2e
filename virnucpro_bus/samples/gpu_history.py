"""The history of one GPU's samples: fine for the last half minute, coarser further back, for a day.

Samples are combined in buckets of a fixed width. A level keeps the newest of one width; the buckets of each level
are several times as wide as those of the level before, so the size of a history does not grow with time.
Pure, and the result does not depend on the order of arrival: only whole numbers are added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.samples.gpu_figures import (
    NEAR_NS,
    UNKNOWN,
    GpuFigures,
    PlainBucket,
    SampleBucket,
    figures_between,
)


class Level(NamedTuple):
    """The newest buckets of one width."""

    width_ns: int
    slots: int
    """How many are kept."""


LEVELS = (
    # So narrow that each sample has a bucket of its own, even the last one of a sampler, between two times.
    Level(NANOSECONDS // 16, 512),
    *(Level(NANOSECONDS // 2 * 5**power, 64) for power in range(1, 6)),
)
"""The finest first: from half a minute to 27 hours."""
MIN_BUCKETS = 8
"""What took less time than so many wide buckets has no figures: the neighbours' part in the two at its ends could
be too great. With so many, it shifts the mean load by 100 / 2 / 8 = 6 percentage points at worst."""
_FINEST_KEPT = 128
"""How many of the finest buckets are kept before those are dropped that are too old."""
_FRESH_AT_ONCE = 500
_LAST_NS = SampleBucket._fields.index("last_ns")


class GpuHistory:
    """The samples of one GPU, in buckets. Not thread-safe."""

    __slots__ = ("_fresh", "_levels", "_pending")

    def __init__(self, levels: Iterable[Iterable[PlainBucket]] = ()) -> None:
        """`levels` are those of an earlier history, as its iteration gave them.

        Raises ValueError if their number is not that of LEVELS.
        """
        self._levels: tuple[dict[int, PlainBucket], ...] = tuple({} for _ in LEVELS)
        # Samples are put in their buckets many at a time, which halves the cost: in the finest level when the load
        # is read, in the others when _FRESH_AT_ONCE are pending or a file's figures are read.
        self._fresh: list[PlainBucket] = []
        self._pending: list[PlainBucket] = []
        kept = [list(level) for level in levels]
        if kept:
            for level, held, buckets in zip(LEVELS, self._levels, kept, strict=True):
                _put(buckets, level, held)

    def __iter__(self) -> Iterator[list[PlainBucket]]:
        """The buckets of each level in the order of time, finest first."""
        self._settle()
        self._drop_old()
        return (sorted(level.values()) for level in self._levels)

    def add(self, sample: PlainBucket) -> None:
        """Add one sample, as a bucket of its own. Adding it twice counts it twice."""
        self._fresh.append(sample)
        if len(self._fresh) >= _FRESH_AT_ONCE:
            self._settle()

    def load(self, interval_ns: int) -> tuple[float | None, float | None]:
        """Mean and greatest utilization in percent over `interval_ns` before the last sample; None: unknown."""
        self._settle(finest_only=interval_ns <= LEVELS[0].slots * LEVELS[0].width_ns)
        newest_ns = self._newest_ns()
        known = total = 0
        greatest = UNKNOWN
        (width_ns, slots), held = next(
            (each for each in self._each_level() if interval_ns <= each[0].slots * each[0].width_ns),
            (LEVELS[-1], self._levels[-1]),
        )
        newest = newest_ns // width_ns
        oldest = max(newest - slots, min(newest - 1, (newest_ns - interval_ns) // width_ns)) + 1
        for index in range(oldest, newest + 1):
            bucket = held.get(index % slots)
            if bucket is not None:
                last_ns, its_known, its_sum, its_max, _, _ = bucket
                if last_ns // width_ns == index:
                    known += its_known
                    total += its_sum
                    greatest = max(greatest, its_max)
        return (total / known / 100, greatest / 100) if known else (None, None)

    def during(self, start_ns: int, end_ns: int) -> GpuFigures:
        """What the GPU did in that time of its host's monotonic clock, by the finest level that reaches so far.

        All figures are unknown if no level reaches so far, or its buckets are too wide for so short a time. Those
        of the finest level count as single samples.
        """
        self._settle()
        newest_ns = self._newest_ns()
        for level, held in self._each_level():
            width_ns, is_finest = level.width_ns, level is LEVELS[0]
            reach = newest_ns // width_ns - level.slots
            if (start_ns - NEAR_NS) // width_ns - 1 > reach:
                if not is_finest and end_ns - start_ns < MIN_BUCKETS * width_ns:
                    break
                buckets = sorted(bucket for bucket in held.values() if bucket[_LAST_NS] // width_ns > reach)
                return figures_between(buckets, 1 if is_finest else width_ns, start_ns, end_ns)
        return GpuFigures()

    def _each_level(self) -> Iterator[tuple[Level, dict[int, PlainBucket]]]:
        return zip(LEVELS, self._levels, strict=True)

    def _newest_ns(self) -> int:
        return max(self._levels[0].values(), default=(0,))[_LAST_NS]

    def _drop_old(self) -> None:
        """Drop the finest buckets whose slots no newer one has taken."""
        (width_ns, slots), held = LEVELS[0], self._levels[0]
        reach = self._newest_ns() // width_ns - slots
        for slot in [slot for slot, bucket in held.items() if bucket[_LAST_NS] // width_ns <= reach]:
            del held[slot]

    def _settle(self, *, finest_only: bool = False) -> None:
        if self._fresh:
            self._pending.extend(_put(self._fresh, LEVELS[0], self._levels[0]))
            self._fresh = []
            if len(self._levels[0]) > _FINEST_KEPT:
                self._drop_old()
        if self._pending and not (finest_only and len(self._pending) < _FRESH_AT_ONCE):
            buckets: Iterable[PlainBucket] = self._pending
            for level, held in zip(LEVELS[1:], self._levels[1:], strict=True):
                buckets = _put(buckets, level, held)
            self._pending = []


def _put(samples: Iterable[PlainBucket], level: Level, held: dict[int, PlainBucket]) -> Iterable[PlainBucket]:
    """Put samples in the buckets of a level; returns them as combined there, for the next level."""
    width_ns, slots = level
    combined: dict[int, PlainBucket] = {}
    for sample in samples:
        index = sample[_LAST_NS] // width_ns
        known = combined.get(index)
        combined[index] = sample if known is None else _merged(known, sample)
    # A slot keeps the newest of all the buckets that belong there: no order can change which one that is.
    for index, bucket in combined.items():
        known = held.get(index % slots)
        if known is None or known[_LAST_NS] // width_ns < index:
            held[index % slots] = bucket
        elif known[_LAST_NS] // width_ns == index:
            held[index % slots] = _merged(known, bucket)
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
