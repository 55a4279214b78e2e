"""Observes the samples of GPUs that a fold accepts, and puts them into columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.timeline.sample_columns import SampleColumns

if TYPE_CHECKING:
    from virnucpro_bus.timeline.timeline import DeviceKey

SAMPLES_AT_ONCE = 500
"""How many samples are put into columns together: so few are still in the processor's cache."""


class SampleRecorder:
    """The samples of all GPUs of a run. For one thread."""

    def __init__(self) -> None:
        self._columns: dict[DeviceKey, SampleColumns] = {}
        self._fresh: list[Envelope] = []
        """Samples that are not yet in columns."""

    def add(self, envelope: Envelope) -> None:
        """Add a sample, with its time on its host's axis. They may come in any order, each once."""
        self._fresh.append(envelope)
        if len(self._fresh) >= SAMPLES_AT_ONCE:
            self._condense()

    def columns(self) -> dict[DeviceKey, SampleColumns]:
        """Return the samples of each GPU, not settled. Not a copy: to be called once, after the last sample."""
        self._condense()
        return self._columns

    def drop_before(self, times_ns: Mapping[str, int]) -> int:
        """Drop what tells nothing of the time since `times_ns`, by host; return how many samples are kept."""
        self._condense()
        for (host, _), columns in self._columns.items():
            columns.drop_before(times_ns[host])
        return sum(map(len, self._columns.values()))

    def _condense(self) -> None:
        """Put the samples so far into columns."""
        by_device: defaultdict[DeviceKey, list[Envelope]] = defaultdict(list)
        for envelope in self._fresh:
            by_device[envelope.host, envelope.event.device.key].append(envelope)
        for key, samples in by_device.items():
            self._columns.setdefault(key, SampleColumns()).add(samples)
        self._fresh.clear()
