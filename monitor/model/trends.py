"""How a device's figures have gone lately: kept from look to look, and drawn as a row of small bars.

Kept by the run's own time, as a replay can stand still and go back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from monitor.model.view_model import DeviceKey, Row, Trend, device_key

SAMPLES_KEPT = 30
"""At the default interval, the minute over which the throughput is measured."""

_NO_TREND = Trend()


class TrendKeeper:
    """Remembers the figures of the last looks at each device; of a device that has gone, nothing."""

    def __init__(self) -> None:
        self._trends: dict[DeviceKey, Trend] = {}
        self._seconds = -inf

    def add(self, rows: Sequence[Row], seconds: float) -> Mapping[DeviceKey, Trend]:
        """Take in one look at all devices, at that time; their trends with it. From one thread.

        While time stands still nothing is added. Where it has gone back, what was seen is yet to come, and nothing
        of it is kept.
        """
        if seconds == self._seconds:
            return self._trends
        before = self._trends if seconds > self._seconds else {}
        self._seconds = seconds
        self._trends = {(key := device_key(row[0])): _longer(before.get(key, _NO_TREND), row) for row in rows}
        return self._trends


def _longer(trend: Trend, row: Row) -> Trend:
    metrics, utilization = row
    return Trend(
        (*trend.compute_percents[1 - SAMPLES_KEPT :], utilization["compute_percent"]),
        (*trend.throughputs[1 - SAMPLES_KEPT :], metrics["throughput"]),
    )
