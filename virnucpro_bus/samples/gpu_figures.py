"""What a GPU did during an interval, by its samples: single ones, or combined in buckets of one width. Pure.

Between two samples the load changes and energy is used evenly, so that each sample has a weight by time.
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
NEAR_NS = NANOSECONDS
"""How long before the first sample, after the last, and at both ends of a long gap the load is that of the nearest
sample. For as long the energy counter is assumed to rise evenly before the first sample and after the last."""
MAX_SILENCE_NS = 3 * NANOSECONDS
"""In a longer gap between samples the load is unknown, and when the energy was used."""
MIN_KNOWN_SHARE = 0.9
"""The mean load is that of this share of the time, or unknown."""
MAX_PEAK_RATIO = 1.05
"""The peak is unknown if it is higher by more with the buckets at both ends than without them."""


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


class SortedBuckets(Protocol):
    """A sequence of buckets in the order of time."""

    def __len__(self) -> int: ...

    def __getitem__(self, at: int, /) -> PlainBucket: ...


class GpuFigures(NamedTuple):
    """What a GPU did during an interval. Every field may be unknown (None) on its own."""

    compute_percent: float | None = None
    """The mean over time."""
    memory_peak_bytes: int | None = None
    """The greatest of the samples."""
    energy_joules: float | None = None


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

    `width_ns` is the width of each bucket; 1 for single samples. A figure that samples do not cover is unknown.
    """
    return GpuFigures(
        compute_percent=_mean_percent(_loads(buckets, width_ns, start_ns, end_ns), start_ns, end_ns),
        memory_peak_bytes=_memory_peak(buckets, width_ns, start_ns, end_ns),
        energy_joules=_energy_joules(buckets, width_ns, start_ns, end_ns),
    )


def _loads(
    buckets: SortedBuckets, width_ns: int, start_ns: int, end_ns: int
) -> Iterator[tuple[int, float, int, float]]:
    """The known loads around a time, as straight lines: from when, from which load, to when, to which load.

    Loads are in hundredths of a percent. A wide bucket has one load, that between two samples changes evenly.
    """
    reach_ns = max(width_ns, MAX_SILENCE_NS)
    first, stop = bisect_left(buckets, (start_ns - reach_ns,)), bisect_left(buckets, (end_ns + reach_ns + 1,))
    around = (SampleBucket(*buckets[at]) for at in range(first, stop))
    known = [(each.last_ns, each.hundredths_sum / each.known) for each in around if each.known]
    if width_ns > 1:
        for at_ns, load in known:
            begin_ns = at_ns // width_ns * width_ns
            yield begin_ns, load, begin_ns + width_ns, load
        return
    for before, after in pairwise([None, *known, None]):
        if before is not None and after is not None and after[0] - before[0] <= MAX_SILENCE_NS:
            yield *before, *after
            continue
        if before is not None:
            yield *before, before[0] + NEAR_NS, before[1]
        if after is not None:
            yield after[0] - NEAR_NS, after[1], *after


def _mean_percent(loads: Iterable[tuple[int, float, int, float]], start_ns: int, end_ns: int) -> float | None:
    """The mean load over a time; None if too little of it is known."""
    end_ns = max(end_ns, start_ns + 1)  # a file may have taken no time
    known_ns, total = 0, 0.0
    for from_ns, from_load, to_ns, to_load in loads:
        begin_ns, stop_ns = max(from_ns, start_ns), min(to_ns, end_ns)
        if begin_ns < stop_ns:
            share = (begin_ns - from_ns + stop_ns - from_ns) / 2 / (to_ns - from_ns)
            total += (from_load + (to_load - from_load) * share) * (stop_ns - begin_ns)
            known_ns += stop_ns - begin_ns
    return total / known_ns / 100 if known_ns >= MIN_KNOWN_SHARE * (end_ns - start_ns) else None


def _memory_peak(buckets: SortedBuckets, width_ns: int, start_ns: int, end_ns: int) -> int | None:
    """The most memory at any sample in a time, or without one, at those just before and after."""
    first = bisect_left(buckets, (start_ns // width_ns * width_ns,))
    stop = bisect_left(buckets, ((end_ns // width_ns + 1) * width_ns,))
    chosen = [SampleBucket(*buckets[at]) for at in range(first, stop)]
    if not chosen:
        beside = [SampleBucket(*buckets[at]) for at in (first - 1, first) if 0 <= at < len(buckets)]
        chosen = [each for each in beside if start_ns - NEAR_NS <= each.last_ns <= end_ns + NEAR_NS]
    peak = max((each.memory_bytes for each in chosen), default=UNKNOWN)
    if width_ns > 1:
        inner = [each for each in chosen if start_ns <= each.last_ns // width_ns * width_ns <= end_ns - width_ns]
        if peak > MAX_PEAK_RATIO * max((each.memory_bytes for each in inner), default=UNKNOWN):
            return None
    return None if peak == UNKNOWN else peak


def _energy_joules(buckets: SortedBuckets, width_ns: int, start_ns: int, end_ns: int) -> float | None:
    """How far the energy counter rose; between two samples it rises evenly.

    Before the first bucket and after the last it rises as between the two nearest ones: for NEAR_NS, or for the
    width of a bucket, because the time of the first sample in a bucket is unknown. None if the counter is not
    known all the time, or was reset.
    """
    near_ns, silence_ns = max(NEAR_NS, width_ns), max(MAX_SILENCE_NS, 2 * width_ns)
    before = bisect_left(buckets, (start_ns + 1,)) - 1
    # A file may have taken no time, and more than one sample may be of that moment.
    after = max(before, bisect_left(buckets, (end_ns,)))
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
