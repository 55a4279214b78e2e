"""The last seconds of GPU samples: mean and maximum load over them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from monitor.gpu.reading import GpuReading
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.devices import find_device
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuUtilization, is_stale_age, make_utilization


class SampleWindow:
    """The samples of the last `window_seconds`, counted back from the latest. One thread at a time."""

    def __init__(self, window_seconds: float) -> None:
        self._window_ns = round(window_seconds * NANOSECONDS)
        self._samples: deque[tuple[int, Sequence[GpuReading]]] = deque()

    def add(self, at_ns: int, readings: Sequence[GpuReading]) -> None:
        """Add the sample of monotonic time `at_ns`, which is later than those before."""
        self._samples.append((at_ns, readings))
        while at_ns - self._samples[0][0] >= self._window_ns and len(self._samples) > 1:
            self._samples.popleft()

    def keep(self, window_seconds: float) -> None:
        """Set the length of the window, from the next sample on."""
        self._window_ns = round(window_seconds * NANOSECONDS)

    def clear(self) -> None:
        """Remove all samples."""
        self._samples.clear()

    @property
    def last_ns(self) -> int | None:
        """Monotonic time of the latest sample; None before the first."""
        return self._samples[-1][0] if self._samples else None

    def last(self, now_ns: int) -> list[GpuReading]:
        """Return the latest reading of every GPU; blank readings when it is more than 3 s old."""
        if not self._samples:
            return []
        at_ns, readings = self._samples[-1]
        is_stale = is_stale_age((now_ns - at_ns) / NANOSECONDS)
        return [reading.blank() for reading in readings] if is_stale else list(readings)

    def utilization(self, device_id: int | str, now_ns: int) -> GpuUtilization:
        """Return the figures of the GPU that `device_id` names, see GPUMonitor; all None if it names none."""
        if not self._samples:
            return UNKNOWN_UTILIZATION.copy()
        at_ns, readings = self._samples[-1]
        reading = _find(device_id, readings)
        if reading is None:
            return UNKNOWN_UTILIZATION.copy()
        loads = self._loads(reading)
        mean = sum(loads) / len(loads) if loads else None
        return make_utilization(reading, mean, max(loads, default=None), (now_ns - at_ns) / NANOSECONDS)

    def _loads(self, latest: GpuReading) -> list[float]:
        """The known loads of the window; empty if the latest is unknown, since older ones are out of date."""
        if latest.compute_percent is None:
            return []
        same = (
            reading
            for _, readings in self._samples
            for reading in readings
            if reading.device.key == latest.device.key
        )
        return [reading.compute_percent for reading in same if reading.compute_percent is not None]


def _find(device_id: object, readings: Sequence[GpuReading]) -> GpuReading | None:
    # Of several with one index the first: a lost GPU, whose place another has taken, comes later.
    devices: dict[int | str, GpuReading] = {
        each.device.index: each for each in reversed(readings) if each.device.index is not None
    }
    return find_device(device_id, devices | {each.device.key: each for each in readings})
