"""Publishes GPU readings on the bus: one GpuSampled event per GPU and sample, and one notice per problem."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from monitor.gpu.reading import GpuReading
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.events.run_events import Notice
from virnucpro_bus.events.vocabulary import GpuSampled

if TYPE_CHECKING:
    from virnucpro_bus.publish.event_sink import EventSink

NOTICE_CHARACTERS = 400
"""Longer notices are cut."""


class ReadingSource(Protocol):
    """Where a sampler takes readings from."""

    def new_readings(self) -> Sequence[GpuReading]:
        """Return every GPU as it is now; empty when nothing is newer than what the last call returned."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """One line per problem."""
        ...


class Sampler:
    """Publishes the readings of `source` every `interval_seconds`, and each of its problems once, as a notice.

    While the source has nothing new nothing is published, so viewers see the last sample grow old. A GPUMonitor as
    source should cache for less than the interval. Only the calling thread uses `publisher`.
    """

    def __init__(
        self, publisher: EventSink, source: ReadingSource, clock: Clock, interval_seconds: float = 0.5
    ) -> None:
        self._publisher = publisher
        self._source = source
        self._clock = clock
        self._interval_ns = round(interval_seconds * NANOSECONDS)
        self._reported: set[str] = set()

    def sample_once(self) -> int:
        """Publish one sample of every GPU. Returns the number of GPUs."""
        readings = self._source.new_readings()
        for reading in readings:
            self._publisher.publish(_event_of(reading))
        for problem in self._source.problems:
            if problem not in self._reported:
                self._reported.add(problem)
                self._publisher.publish(Notice(f"GPU figures: {problem}"[:NOTICE_CHARACTERS]))
        return len(readings)

    def run(self, stop: threading.Event) -> None:
        """Sample now, at every interval, and once when `stop` is set: the energy of the last file needs that one.

        Samples that are overdue are skipped.
        """
        due_ns = self._clock.mono_ns()
        while not stop.is_set():
            self.sample_once()
            due_ns = max(due_ns + self._interval_ns, self._clock.mono_ns())
            stop.wait((due_ns - self._clock.mono_ns()) / NANOSECONDS)
        self.sample_once()


def _event_of(reading: GpuReading) -> GpuSampled:
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
