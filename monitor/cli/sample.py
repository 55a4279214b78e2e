"""The subcommand `sample`, which publishes GPU samples on a bus. It imports nothing that draws."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.gpu.this_machine import SAMPLE_SECONDS, sample_this_machine
from virnucpro_bus.cli.options import PathArgument
from virnucpro_bus.clock import Clock, SystemClock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.run_folder import BusAddresses, read_addresses
from virnucpro_bus.system.signals import ENDING_SIGNALS

if TYPE_CHECKING:
    from virnucpro_bus.publish.publisher import Publisher


@click.command
@click.argument("run_dir", type=PathArgument(exists=True, file_okay=False, path_type=Path))
@click.option("--simulate", is_flag=True, hidden=True, help="Publish samples of the run's simulated GPUs.")
def sample(run_dir: Path, simulate: bool) -> int:
    """Publish this machine's GPU samples on the bus of RUN_DIR, twice a second, until its hub ends.

    Without a GPU driver the command ends at once. If the driver does not work, the reason is published as a
    notice, and the driver is tried again every few seconds.

    \b
    Example:
      virnucpro-bus sample first-run
    """
    clock = SystemClock()
    addresses = read_addresses(run_dir)
    stop = threading.Event()
    for number in ENDING_SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    if simulate:
        return _simulate(run_dir, addresses, clock, stop)
    # Nothing else ends this process when the hub is killed.
    threading.Thread(target=_stop_with_hub, args=(run_dir, addresses, stop), daemon=True).start()
    sample_this_machine(lambda: _publisher(addresses, clock), clock, stop)
    return 0


def _publisher(addresses: BusAddresses, clock: Clock) -> Publisher:
    """Return a publisher whose samples belong to the host that the run's events name."""
    from virnucpro_bus.publish.publisher import Publisher

    host = addresses.run_host or None
    return Publisher(addresses.publish, source="sampler", run=addresses.run, host=host, clock=clock)


def _simulate(run_dir: Path, addresses: BusAddresses, clock: Clock, stop: threading.Event) -> int:
    from monitor.gpu.simulated import publish_simulated
    from virnucpro_bus.sources.live import join

    try:
        source = join(str(run_dir), clock)
        with _publisher(addresses, clock) as bus:
            publish_simulated(source, bus, clock, SAMPLE_SECONDS, stop)
    except AddressError:
        return 0  # the hub is gone, and with it all viewers
    source.close()
    return 0


def _stop_with_hub(run_dir: Path, addresses: BusAddresses, stop: threading.Event) -> None:
    """Set `stop` when the hub at `addresses` is gone, even if another has taken its place, which has a sampler."""
    while not stop.wait(SAMPLE_SECONDS):
        try:
            gone = read_addresses(run_dir) != addresses
        except AddressError:
            gone = True
        if gone:
            stop.set()
