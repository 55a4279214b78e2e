"""The trends of devices: their figures over the last samples.

Recorded by the run's own time, because a replay can pause and go back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from monitor.model.view_model import DeviceKey, Trend, device_key
from virnucpro_bus.health.rows import Row

SAMPLES_KEPT = 30
"""At the default interval, the minute over which the throughput is measured."""

_NO_TREND = Trend()


class TrendKeeper:
    """Keeps the trend of each device that is present; the trend of a device that disappears is removed."""

    def __init__(self, samples: int = SAMPLES_KEPT) -> None:
        """Keep the last `samples` of each device."""
        self._samples = samples
        self._trends: dict[DeviceKey, Trend] = {}
        self._seconds = -inf

    def add(self, rows: Sequence[Row], seconds: float) -> Mapping[DeviceKey, Trend]:
        """Add one sample of all devices at run time `seconds`, and return the trends with it. One thread.

        If time has not moved nothing is added. If it has gone back all trends start over.
        """
        if seconds == self._seconds:
            return self._trends
        before = self._trends if seconds > self._seconds else {}
        self._seconds = seconds
        self._trends = {
            (key := device_key(row[0])): self._extended(before.get(key, _NO_TREND), row) for row in rows
        }
        return self._trends

    def _extended(self, trend: Trend, row: Row) -> Trend:
        metrics, utilization = row
        return Trend(
            (*trend.compute_percents[1 - self._samples :], utilization["compute_percent"]),
            (*trend.throughputs[1 - self._samples :], metrics["throughput"]),
        )
