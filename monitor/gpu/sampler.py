"""Puts GPU readings on the bus, one GpuSampled event a GPU and look, and what is wrong with them, once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from monitor.gpu.reading import GpuReading
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.events.vocabulary import GpuSampled, Notice

if TYPE_CHECKING:
    from virnucpro_bus.publish.publisher import EventSink

NOTICE_CHARACTERS = 400


class ReadingSource(Protocol):
    """Where readings come from."""

    def new_readings(self) -> Sequence[GpuReading]:
        """Every GPU as it is now; empty when nobody knows better than last time."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """One line for each thing that is not as it should be."""
        ...


def sampled(reading: GpuReading) -> GpuSampled:
    """`reading` as an event."""
    return GpuSampled(
        device=reading.device,
        compute_percent=reading.compute_percent,
        memory_percent=reading.memory_percent,
        memory_used_bytes=reading.memory_used_bytes,
        memory_total_bytes=reading.memory_total_bytes,
        temperature_celsius=reading.temperature_celsius,
        power_watts=reading.power_watts,
        lost=reading.lost,
        energy_millijoules=reading.energy_millijoules,
        simulated=reading.simulated,
    )


class Sampler:
    """Publishes what `source` reads, once per `interval_seconds`.

    Only the thread that calls it touches `publisher`. While the source has nothing new nothing is published, so
    whoever reads it sees the last look grow old. A GPUMonitor as source should cache for less than the interval.
    What the source finds wrong is a notice the first time that it says so.
    """

    def __init__(
        self, publisher: EventSink, source: ReadingSource, clock: Clock, interval_seconds: float = 0.5
    ) -> None:
        self._publisher = publisher
        self._source = source
        self._clock = clock
        self._interval_ns = round(interval_seconds * NANOSECONDS)
        self._told: set[str] = set()

    def sample_once(self) -> int:
        """Look at every GPU and publish. Returns how many GPUs that were."""
        readings = self._source.new_readings()
        for reading in readings:
            self._publisher.publish(sampled(reading))
        for problem in self._source.problems:
            if problem not in self._told:
                self._told.add(problem)
                self._publisher.publish(Notice(f"GPU figures: {problem}"[:NOTICE_CHARACTERS]))
        return len(readings)

    def run(self, stop: threading.Event) -> None:
        """Sample at once, at every interval, and when `stop` is set: what ends then has its energy told.

        Looks that come too late are skipped.
        """
        due_ns = self._clock.mono_ns()
        while not stop.is_set():
            self.sample_once()
            due_ns = max(due_ns + self._interval_ns, self._clock.mono_ns())
            stop.wait((due_ns - self._clock.mono_ns()) / NANOSECONDS)
        self.sample_once()
