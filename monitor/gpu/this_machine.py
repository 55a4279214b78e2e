"""Publishes the samples of this machine's GPUs, in whichever process samples for a bus.

An entry point names `sample_this_machine`, so that a worker in a cluster finds it without importing the monitor.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from monitor.gpu.backends import has_driver
from monitor.gpu.monitor import GPUMonitor
from monitor.gpu.sampler import Sampler
from virnucpro_bus.clock import Clock

if TYPE_CHECKING:
    from virnucpro_bus.publish.publisher import Publisher

SAMPLE_SECONDS = 0.5
"""Shorter than the display interval, so that a load on screen is the mean of several samples."""


def sample_this_machine(connect: Callable[[], Publisher], clock: Clock, stop: threading.Event) -> None:
    """Publish samples twice a second until `stop` is set; return at once where there is no GPU driver.

    `connect` is called where there is one. If the driver does not work, the reason is published as a notice, and
    the driver is tried again every few seconds.
    """
    if not has_driver():
        return
    with connect() as bus:
        Sampler(bus, GPUMonitor(clock=clock, cache_seconds=0.0), clock, SAMPLE_SECONDS).run(stop)
