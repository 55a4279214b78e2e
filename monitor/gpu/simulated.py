"""GPUs that are not there, for a demonstration: figures that go with what their workers really do.

Everything that comes from here is marked as simulated. Nothing is random but how much a load wanders, and that is
the same every time.
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
from virnucpro_bus.publish.publisher import EventSink
from virnucpro_bus.sources.live import LiveSource, catch_up, follow_live

NAME = "simulated GPU"
MEMORY_BYTES = 24 << 30
MEMORY_IDLE_BYTES = 450 << 20
IDLE_WATTS, BUSY_WATTS = 28.0, 320.0
IDLE_CELSIUS, BUSY_CELSIUS = 34.0, 74.0
LOAD_SECONDS, POWER_SECONDS, MEMORY_SECONDS, HEAT_SECONDS = 0.3, 1.0, 15.0, 25.0
"""How long each figure takes to go two thirds of its way."""
LEAST_BUSY_PERCENT, MOST_BUSY_PERCENT = 72.0, 99.0


@dataclass
class SimulatedGpu:
    """One made-up GPU. Pure: what it does follows from when it is looked at and whether it was busy."""

    device: Device
    _load: float = 0.0
    _memory_bytes: float = MEMORY_IDLE_BYTES
    _celsius: float = IDLE_CELSIUS
    _watts: float = IDLE_WATTS
    _joules: float = 0.0
    _looked_ns: int | None = None
    _wander: float = 90.0
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.device.key)  # noqa: S311 - it only has to look alive

    def sample(self, busy: bool, now_ns: int) -> GpuReading:
        """Its figures at the monotonic time `now_ns`, no earlier than the last; `busy` since then."""
        seconds = 0.0 if self._looked_ns is None else max(0, now_ns - self._looked_ns) / NANOSECONDS
        self._looked_ns = now_ns
        self._wander = min(max(self._wander + self._random.uniform(-6, 6), LEAST_BUSY_PERCENT), MOST_BUSY_PERCENT)
        share = self._wander / 100 if busy else 0.0
        before_watts = self._watts
        self._load = _nearer(self._load, 100 * share, seconds, LOAD_SECONDS)
        self._watts = _nearer(self._watts, _between(IDLE_WATTS, BUSY_WATTS, share), seconds, POWER_SECONDS)
        self._celsius = _nearer(self._celsius, _between(IDLE_CELSIUS, BUSY_CELSIUS, share), seconds, HEAT_SECONDS)
        most_bytes = 0.8 * MEMORY_BYTES if busy else MEMORY_IDLE_BYTES
        self._memory_bytes = _nearer(self._memory_bytes, most_bytes, seconds, MEMORY_SECONDS)
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
    """A ReadingSource: a simulated GPU for each device of a run that says that it is one. One thread."""

    problems: Sequence[str] = ()

    def __init__(self, run: MetricsSource, clock: Clock) -> None:
        """`run` tells what the workers do."""
        self._run = run
        self._clock = clock
        self._gpus: dict[int | str, SimulatedGpu] = {}

    def new_readings(self) -> list[GpuReading]:
        """Every simulated GPU as it is now."""
        now_ns, found = self._clock.mono_ns(), []
        for row in self._run.get_gpu_metrics():
            key = row["device_id"]
            if isinstance(key, str) and is_simulated(key):
                if key not in self._gpus:
                    self._gpus[key] = SimulatedGpu(Device(key, row["device_name"] or NAME, device_of(key).index))
                found.append(self._gpus[key].sample(row["state"] == "busy", now_ns))
        return found


def publish_simulated(
    source: LiveSource, publisher: EventSink, clock: Clock, interval_seconds: float, stop: threading.Event
) -> None:
    """Publish looks at the simulated GPUs of the run that `source` tells of, until it is over or `stop` is set.

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


def _nearer(value: float, target: float, seconds: float, pace_seconds: float) -> float:
    return target + (value - target) * exp(-seconds / pace_seconds)


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share
