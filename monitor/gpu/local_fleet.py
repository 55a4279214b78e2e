"""The GPUs of this machine as a fleet without a run: samples go into a fold directly, and over no bus."""

from __future__ import annotations

import os
import threading

from monitor.gpu.backends import has_driver
from monitor.gpu.monitor import GPUMonitor
from monitor.gpu.sampler import Sampler
from virnucpro_bus.clock import Clock
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.events.run_events import Notice
from virnucpro_bus.events.vocabulary import Fact
from virnucpro_bus.fold.fleet import FleetState

SAMPLE_SECONDS = 0.5
"""As often as the sampler of a run."""
DRIVER_SECONDS = 15.0
"""Longer than a cold start of many GPUs."""
NO_DRIVER = "this machine has no GPU driver, so no GPU is shown; virnucpro-bus doctor shows what there is"
NO_ANSWER = f"the GPU driver has not answered within {DRIVER_SECONDS:.0f} s; see virnucpro-bus doctor"


class LocalFleet:
    """Samples the GPUs of this machine into `fleet`, once or from `start` to `stop`. For one thread."""

    def __init__(self, clock: Clock, interval_seconds: float = 2.0) -> None:
        """The driver is not queried yet. `interval_seconds` is as for FleetState."""
        host = os.uname().nodename
        self.fleet = FleetState(clock, host, interval_seconds)
        """Safe to read from any thread."""
        self._clock = clock
        self._notices = _FleetSink(self.fleet, clock, "monitor", host)
        self._has_driver = has_driver()
        self._gpus = GPUMonitor(clock=clock, cache_seconds=0.0)
        self._sampler = Sampler(_FleetSink(self.fleet, clock, "sampler", host), self._gpus, clock, SAMPLE_SECONDS)
        self._stopping = threading.Event()
        if not self._has_driver:
            self.notify(NO_DRIVER)

    def notify(self, text: str) -> None:
        """Show a notice."""
        self._notices.publish(Notice(text))

    def sample_once(self) -> None:
        """Sample every GPU, and wait for the driver for up to DRIVER_SECONDS."""
        if self._has_driver:
            self._gpus.readings(DRIVER_SECONDS)
            if not self._sampler.sample_once() and self._gpus.backend_name is None and not self._gpus.problems:
                self.notify(NO_ANSWER)
        self._gpus.close()

    def start(self) -> None:
        """Sample now, waiting for the driver for a second at most, and from now on, in a thread."""
        if self._has_driver:
            self._sampler.sample_once()
            threading.Thread(target=self._run, name="local GPUs", daemon=True).start()

    def stop(self) -> None:
        """End sampling soon; does not wait."""
        self._stopping.set()

    def _run(self) -> None:
        self._sampler.run(self._stopping)
        self._gpus.close()


class _FleetSink:
    """An EventSink that folds what it accepts. One thread."""

    def __init__(self, fleet: FleetState, clock: Clock, source: str, host: str) -> None:
        self._fleet = fleet
        self._clock = clock
        self._sequencer = Sequencer(clock, source=source, host=host)

    def publish(self, event: Fact) -> None:
        """Number and fold one event."""
        self._fleet.apply(self._sequencer.next_envelope(event), self._clock.mono_ns())
