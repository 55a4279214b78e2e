"""Simulated GPUs, for demonstrations: their figures follow what their workers really do.

Every reading is marked as simulated. Only the variation of a load is random, and that is the same in every run.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp
from random import Random

from monitor.gpu.reading import GpuReading
from monitor.gpu.sampler import Sampler
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.devices import device_of, is_simulated
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.metrics import MetricsSource
from virnucpro_bus.publish.event_sink import EventSink
from virnucpro_bus.sources.live import LiveSource, catch_up, follow_live

NAME = "simulated GPU"
MEMORY_BYTES = 24 << 30
MEMORY_IDLE_BYTES = 450 << 20
IDLE_WATTS, BUSY_WATTS = 28.0, 320.0
IDLE_CELSIUS, BUSY_CELSIUS = 34.0, 74.0
LOAD_SECONDS, POWER_SECONDS, MEMORY_SECONDS, HEAT_SECONDS = 0.3, 1.0, 15.0, 25.0
"""How long each figure takes to cover two thirds of a change."""
LEAST_BUSY_PERCENT, MOST_BUSY_PERCENT = 72.0, 99.0


@dataclass
class SimulatedGpu:
    """One simulated GPU. Pure: its figures follow from the times of its samples and whether it was busy."""

    device: Device
    _load: float = 0.0
    _memory_bytes: float = MEMORY_IDLE_BYTES
    _celsius: float = IDLE_CELSIUS
    _watts: float = IDLE_WATTS
    _joules: float = 0.0
    _sampled_ns: int | None = None
    _busy_percent: float = 90.0
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.device.key)  # noqa: S311 - only for variation

    def sample(self, busy: bool, now_ns: int) -> GpuReading:
        """Return its figures at monotonic time `now_ns`, if it was `busy`, or idle, since the sample before."""
        seconds = 0.0 if self._sampled_ns is None else max(0, now_ns - self._sampled_ns) / NANOSECONDS
        self._sampled_ns = now_ns
        percent = self._busy_percent + self._random.uniform(-6, 6)
        self._busy_percent = min(max(percent, LEAST_BUSY_PERCENT), MOST_BUSY_PERCENT)
        share = self._busy_percent / 100 if busy else 0.0
        before_watts = self._watts
        self._load = _approach(self._load, 100 * share, seconds, LOAD_SECONDS)
        self._watts = _approach(self._watts, _between(IDLE_WATTS, BUSY_WATTS, share), seconds, POWER_SECONDS)
        self._celsius = _approach(
            self._celsius, _between(IDLE_CELSIUS, BUSY_CELSIUS, share), seconds, HEAT_SECONDS
        )
        target_bytes = 0.8 * MEMORY_BYTES if busy else MEMORY_IDLE_BYTES
        self._memory_bytes = _approach(self._memory_bytes, target_bytes, seconds, MEMORY_SECONDS)
        self._joules += (before_watts + self._watts) / 2 * seconds
        return GpuReading(
            self.device,
            compute_percent=float(round(self._load)),
            memory_used_bytes=round(self._memory_bytes),
            memory_total_bytes=MEMORY_BYTES,
            temperature_celsius=float(round(self._celsius)),
            power_watts=round(self._watts, 1),
            energy_millijoules=round(1000 * self._joules),
            simulated=True,
        )


class SimulatedGpus:
    """A ReadingSource with the simulated GPUs that the devices of a run use. One thread."""

    problems: Sequence[str] = ()

    def __init__(self, run: MetricsSource, clock: Clock) -> None:
        """`run` reports what the workers do."""
        self._run = run
        self._clock = clock
        self._gpus: dict[str, SimulatedGpu] = {}

    def new_readings(self) -> list[GpuReading]:
        """Return every simulated GPU as it is now."""
        now_ns = self._clock.mono_ns()
        busy: dict[str, bool] = {}
        for row in self._run.get_gpu_metrics():
            for key in filter(is_simulated, row["gpus"]):
                if key not in self._gpus:
                    self._gpus[key] = SimulatedGpu(Device(key, row["device_name"] or NAME, device_of(key).index))
                busy[key] = busy.get(key, False) or row["state"] == "busy"
        return [self._gpus[key].sample(is_busy, now_ns) for key, is_busy in busy.items()]


def publish_simulated(
    source: LiveSource, publisher: EventSink, clock: Clock, interval_seconds: float, stop: threading.Event
) -> None:
    """Publish samples of the simulated GPUs of the run of `source`, until it is over or `stop` is set.

    Raises AddressError when its hub is gone.
    """
    fleet = FleetState(clock)
    catch_up(source, fleet)
    sampler = Sampler(publisher, SimulatedGpus(fleet, clock), clock)
    due_ns = clock.mono_ns()
    for _ in follow_live(source, fleet, clock, stop.is_set):
        if clock.mono_ns() >= due_ns:
            sampler.sample_once()
            due_ns = max(due_ns + round(interval_seconds * NANOSECONDS), clock.mono_ns())
    sampler.sample_once()


def _approach(value: float, target: float, seconds: float, pace_seconds: float) -> float:
    """Move `value` towards `target` as it does in `seconds`."""
    return target + (value - target) * exp(-seconds / pace_seconds)


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share
