"""All samples of one GPU in columns of numbers: 48 bytes each, so that those of a day fit into memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from math import isnan, nan
from operator import attrgetter

from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.samples.gpu_figures import MAX_SILENCE_NS, UNKNOWN, PlainBucket

_TIMES = "times"
_FIGURES = {
    "compute_percent": ("event.compute_percent", nan),
    "memory_bytes": ("event.memory_used_bytes", UNKNOWN),
    "memory_total_bytes": ("event.memory_total_bytes", UNKNOWN),
    "energy_millijoules": ("event.energy_millijoules", UNKNOWN),
    "watts": ("event.power_watts", nan),
    "celsius": ("event.temperature_celsius", nan),
}
"""For each column of figures: where it is in an event, and what stands for unknown."""
_read_sample = attrgetter("mono_ns", "event.simulated", *(path for path, _ in _FIGURES.values()))


class SampleColumns:
    """The samples of one GPU; reads like a list of buckets of one sample each (`samples/gpu_figures.py`).

    Columns are as long as each other. Where the driver did not report a figure stands UNKNOWN, in columns of
    fractions NaN. Not thread-safe before `settle`.
    """

    __slots__ = (_TIMES, *_FIGURES, "simulated")

    def __init__(self) -> None:
        self.simulated = False
        """Whether any figure is simulated."""
        self.times = array("q")
        """Nanoseconds; ascending after `settle`."""
        self.compute_percent = array("d")
        self.memory_bytes = array("q")
        """In use."""
        self.memory_total_bytes = array("q")
        self.energy_millijoules = array("q")
        """Since the driver was loaded."""
        self.watts = array("f")
        self.celsius = array("f")

    def add(self, samples: Sequence[Envelope]) -> None:
        """Add some samples, many at a time. Call `settle` after the last."""
        times, simulated, *columns = zip(*map(_read_sample, samples), strict=True)
        self.times.extend(times)
        for (name, (_, unknown)), values in zip(_FIGURES.items(), columns, strict=True):
            # A search costs less than a step for each sample, and nearly always all are known.
            getattr(self, name).extend(
                [unknown if value is None else value for value in values] if None in values else values
            )
        self.simulated = self.simulated or any(simulated)

    def settle(self, offset_ns: int) -> None:
        """Put the samples in the order of time, and add `offset_ns` to each time."""
        if self.times.tolist() != sorted(self.times):
            order = sorted(range(len(self)), key=self.times.__getitem__)
            for name in (_TIMES, *_FIGURES):
                column = getattr(self, name)
                setattr(self, name, array(column.typecode, map(column.__getitem__, order)))
        self.times = array("q", [at_ns + offset_ns for at_ns in self.times])

    def drop_before(self, at_ns: int) -> None:
        """Drop the samples without which `figures_between` finds the same from `at_ns` on."""
        self.settle(0)
        # It uses samples within MAX_SILENCE_NS before a time, and the one before them as a sign of a longer gap.
        first = max(0, bisect_left(self.times, at_ns - MAX_SILENCE_NS) - 1)
        for name in (_TIMES, *_FIGURES):
            del getattr(self, name)[:first]

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, at: int, /) -> PlainBucket:
        percent = self.compute_percent[at]
        known, hundredths = (0, 0) if isnan(percent) else (1, round(percent * 100))
        return (
            self.times[at],
            known,
            hundredths,
            hundredths if known else UNKNOWN,
            self.memory_bytes[at],
            self.energy_millijoules[at],
        )
