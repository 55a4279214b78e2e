"""The figures of a GPU as counters, and the times in which they are unknown.

Trace formats have no value for "unknown": a counter keeps its last value, and where that is not a number the
Perfetto UI fails. So only known values are written, and where the last one is too old to count, a slice says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby, pairwise
from math import isnan
from typing import NamedTuple

from virnucpro_bus.samples.gpu_figures import MAX_SILENCE_NS, NEAR_NS, UNKNOWN
from virnucpro_bus.timeline.sample_columns import SampleColumns
from virnucpro_bus.traces.rows import Counter, Slice

NOT_SAMPLED = "not sampled"


def _fraction(number: float) -> float | None:
    return None if isnan(number) else round(number, 2)  # more digits are noise of single precision


def _count(number: float) -> float | None:
    return None if number == UNKNOWN else number


class _Figure(NamedTuple):
    name: str
    unit: str
    column: str
    value: Callable[[float], float | None]

    def values(self, samples: SampleColumns) -> Iterator[float | None]:
        """The value at each sample; None: unknown."""
        return map(self.value, getattr(samples, self.column))


_FIGURES = (
    _Figure("compute", "%", "compute_percent", _fraction),
    _Figure("memory", "bytes", "memory_bytes", _count),
    _Figure("power", "W", "watts", _fraction),
    _Figure("temperature", "°C", "celsius", _fraction),
)


def counters_of(samples: SampleColumns, owner: str) -> list[Counter]:
    """A counter for each figure that any of the samples contains; `owner` is what people call the GPU."""
    return [Counter(owner, each.name, each.unit, _changes(samples, each)) for each in _known_figures(samples)]


def unknown_slices(samples: SampleColumns, end_ns: int) -> Iterator[Slice]:
    """The times, until `end_ns`, in which counters show a value that is too old."""
    for what, stretches in groupby(_stretches(samples, end_ns), key=lambda each: each[2]):
        if what:
            first, *others = stretches
            yield Slice(first[0], (others or [first])[-1][1], "unknown", what)


def _known_figures(samples: SampleColumns) -> list[_Figure]:
    return [each for each in _FIGURES if any(value is not None for value in each.values(samples))]


def _changes(samples: SampleColumns, figure: _Figure) -> Iterator[tuple[int, float]]:
    last: float | None = None
    for at_ns, value in zip(samples.times, figure.values(samples), strict=True):
        if value is not None and value != last:
            last = value
            yield at_ns, value


def _stretches(samples: SampleColumns, end_ns: int) -> Iterator[tuple[int, int, str]]:
    """The times from each sample to the next: from when, until when, and what is unknown, "" for nothing."""
    figures = _known_figures(samples)
    if not figures:
        return
    values = zip(*(each.values(samples) for each in figures), strict=True)
    for (at_ns, next_ns), known in zip(pairwise([*samples.times, end_ns]), values, strict=True):
        names = [figure.name for figure, value in zip(figures, known, strict=True) if value is None]
        is_silent = next_ns - at_ns > MAX_SILENCE_NS
        yield at_ns, at_ns + NEAR_NS if is_silent else next_ns, f"unknown: {', '.join(names)}" if names else ""
        if is_silent:
            yield at_ns + NEAR_NS, next_ns, NOT_SAMPLED
