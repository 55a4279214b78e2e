"""All samples of one GPU in columns of numbers: 48 bytes each, so that those of a day fit into memory."""

from __future__ import annotations

from array import array
from math import nan

from virnucpro_bus.events.vocabulary import GpuSampled
from virnucpro_bus.samples.gpu_figures import UNKNOWN, PlainBucket

SAMPLES_AT_ONCE = 1_000
"""Samples are moved into the columns many at a time, which halves the cost."""
_COLUMNS = (
    "times",
    "compute_hundredths",
    "memory_bytes",
    "memory_total_bytes",
    "energy_millijoules",
    "watts",
    "celsius",
)


class SampleColumns:
    """The samples of one GPU; reads like a list of buckets of one sample each (`samples/gpu_figures.py`).

    Columns are as long as each other. Where the driver did not report a figure stands UNKNOWN, in columns of
    fractions NaN. Not thread-safe before `settle`.
    """

    __slots__ = (*_COLUMNS, "_fresh", "simulated")

    def __init__(self) -> None:
        self.simulated = False
        """Whether any figure is simulated."""
        self.times = array("q")
        """Nanoseconds; ascending after `settle`."""
        self.compute_hundredths = array("q")
        """Utilization in hundredths of a percent."""
        self.memory_bytes = array("q")
        """In use."""
        self.memory_total_bytes = array("q")
        self.energy_millijoules = array("q")
        """Since the driver was loaded."""
        self.watts = array("f")
        self.celsius = array("f")
        self._fresh: list[tuple[int, GpuSampled]] = []

    def add(self, at_ns: int, sample: GpuSampled) -> None:
        """Add one sample. Call `settle` after the last."""
        self._fresh.append((at_ns, sample))
        if len(self._fresh) >= SAMPLES_AT_ONCE:
            self._store()

    def settle(self, offset_ns: int) -> None:
        """Put the samples in the order of time, and add `offset_ns` to each time."""
        self._store()
        times = self.times
        order = sorted(range(len(times)), key=times.__getitem__)
        if order != list(range(len(times))):
            for name in _COLUMNS:
                column = getattr(self, name)
                setattr(self, name, array(column.typecode, map(column.__getitem__, order)))
        self.times = array("q", [at_ns + offset_ns for at_ns in self.times])

    def _store(self) -> None:
        fresh, self._fresh = self._fresh, []
        self.simulated = self.simulated or any(sample.simulated for _, sample in fresh)
        self.times.extend([at_ns for at_ns, _ in fresh])
        samples = [sample for _, sample in fresh]
        self.compute_hundredths.extend(
            [UNKNOWN if (load := each.compute_percent) is None else round(load * 100) for each in samples]
        )
        self.memory_bytes.extend(
            [UNKNOWN if (used := each.memory_used_bytes) is None else used for each in samples]
        )
        self.memory_total_bytes.extend(
            [UNKNOWN if (total := each.memory_total_bytes) is None else total for each in samples]
        )
        self.energy_millijoules.extend(
            [UNKNOWN if (energy := each.energy_millijoules) is None else energy for each in samples]
        )
        self.watts.extend([nan if (watts := each.power_watts) is None else watts for each in samples])
        self.celsius.extend(
            [nan if (celsius := each.temperature_celsius) is None else celsius for each in samples]
        )

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, at: int, /) -> PlainBucket:
        hundredths = self.compute_hundredths[at]
        known = int(hundredths >= 0)
        return (
            self.times[at],
            known,
            max(0, hundredths),
            hundredths,
            self.memory_bytes[at],
            self.energy_millijoules[at],
        )
