"""What several looks at the GPUs say together: the mean and the greatest load of the last seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from monitor.gpu.reading import GpuReading
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.devices import only_one_with_prefix
from virnucpro_bus.metrics import STALE_AFTER_SECONDS, UNKNOWN_UTILIZATION, GpuUtilization, make_utilization

_STALE_NS = round(STALE_AFTER_SECONDS * NANOSECONDS)


class SampleWindow:
    """The looks of the last `window_seconds`, counted back from the last one. One thread at a time."""

    def __init__(self, window_seconds: float) -> None:
        self._window_ns = round(window_seconds * NANOSECONDS)
        self._kept: deque[tuple[int, Sequence[GpuReading]]] = deque()

    def add(self, at_ns: int, readings: Sequence[GpuReading]) -> None:
        """A look at monotonic time `at_ns`, later than those before."""
        self._kept.append((at_ns, readings))
        while at_ns - self._kept[0][0] >= self._window_ns and len(self._kept) > 1:
            self._kept.popleft()

    def keep(self, window_seconds: float) -> None:
        """From now on the looks of so long are kept."""
        self._window_ns = round(window_seconds * NANOSECONDS)

    def clear(self) -> None:
        """Forget them all."""
        self._kept.clear()

    @property
    def last_ns(self) -> int | None:
        """When the last look was; None before the first."""
        return self._kept[-1][0] if self._kept else None

    def last(self, now_ns: int) -> list[GpuReading]:
        """Every GPU as the last look has it, with nothing known of them when that was more than 3 s ago."""
        if not self._kept:
            return []
        at_ns, readings = self._kept[-1]
        return list(readings) if now_ns - at_ns <= _STALE_NS else [reading.blank() for reading in readings]

    def utilization(self, device_id: int | str, now_ns: int) -> GpuUtilization:
        """Figures of a GPU by NVML index, UUID, or the only UUID that begins so; all None when nobody knows it."""
        if not self._kept:
            return UNKNOWN_UTILIZATION.copy()
        at_ns, readings = self._kept[-1]
        reading = _find(device_id, readings)
        if reading is None:
            return UNKNOWN_UTILIZATION.copy()
        loads = self._loads(reading)
        mean = sum(loads) / len(loads) if loads else None
        return make_utilization(reading, mean, max(loads, default=None), (now_ns - at_ns) / NANOSECONDS)

    def _loads(self, newest: GpuReading) -> list[float]:
        """What each look has measured. Empty where the newest does not know: what was is not what is."""
        if newest.compute_percent is None:
            return []
        same = (
            reading
            for _, readings in self._kept
            for reading in readings
            if reading.device.key == newest.device.key
        )
        return [reading.compute_percent for reading in same if reading.compute_percent is not None]


def _find(device_id: int | str, readings: Sequence[GpuReading]) -> GpuReading | None:
    for reading in readings:
        if device_id in (reading.device.key, reading.device.index):
            return reading
    # CUDA_VISIBLE_DEVICES may hold the beginning of a UUID, and a worker then knows itself by that.
    by_key = {reading.device.key: reading for reading in readings}
    whole = only_one_with_prefix(str(device_id), sorted(by_key))
    return None if whole is None else by_key[whole]
