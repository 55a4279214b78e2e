"""The subcommands `monitor`, which shows a run, and `sample`, which feeds it."""

from __future__ import annotations

import signal
import socket
import threading
from functools import partial
from pathlib import Path

import click

from monitor.follow import follow, read_up
from monitor.gpu import GPUMonitor
from monitor.sampler import Sampler
from monitor.showing import json_option, once_option, show_once, watch
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.fleet import FleetState
from virnucpro_bus.options import interval_option
from virnucpro_bus.publisher import Publisher
from virnucpro_bus.replay import fold_capture
from virnucpro_bus.rundir import CAPTURE_NAME, read_addresses
from virnucpro_bus.subscriber import join

SAMPLE_SECONDS = 1.0


@click.command(short_help="Watch a run from another terminal.")
@click.argument("target", default=".", metavar="[RUN_DIR|ADDRESS]")
@once_option
@json_option
@interval_option
@click.option(
    "--log-file", type=click.Path(path_type=Path), metavar="PATH", help="Write a metrics log (CSV) there too."
)
@click.option("--headless", is_flag=True, hidden=True, help="Show nothing, only log.")
def monitor(
    target: str, once: bool, as_json: bool, interval_seconds: float, log_file: Path | None, headless: bool
) -> int:
    """Watch the run in RUN_DIR (the folder given to `run --out` or `hub`; default: the current one).

    It may start late, be stopped, and come back: its counts are exact. An ADDRESS is the `history` address in the
    run folder's bus.json. A run that is over, or was broken off, is shown as it ended.

    \b
    Examples:
      virnucpro-bus monitor first-run
      virnucpro-bus monitor first-run --once --json
    """
    clock = SystemClock()
    try:
        source = join(target, clock)
    except AddressError:
        capture = Path(target) / CAPTURE_NAME
        if headless or not capture.is_file():
            raise
        fleet = fold_capture(capture, clock)
        show_once(fleet, as_json, f"{target} (over)" if fleet.finished else f"{target} (broken off)")
        return 0
    fleet = FleetState(clock, local_host=socket.gethostname())
    try:
        read_up(source, fleet)
        if once:
            show_once(fleet, as_json, target)
            return 0
        advance = partial(follow, source, fleet, clock)
        return watch(advance, fleet, clock, target, as_json, interval_seconds, log_file, draw=not headless)
    finally:
        source.close()


@click.command(short_help="Put this machine's GPU samples on a bus (run and hub do it themselves).")
@click.argument("run_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
def sample(run_dir: Path) -> int:
    """Publish what the GPU driver says, once a second, on the bus of RUN_DIR; ends at once without a GPU.

    \b
    Example:
      virnucpro-bus sample first-run
    """
    clock = SystemClock()
    addresses = read_addresses(run_dir)
    gpus = GPUMonitor(clock=clock, cache_seconds=SAMPLE_SECONDS / 2)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    gpus.readings()
    if gpus.backend_name == "none":
        return 0
    # Nobody else tells us when the hub is killed.
    threading.Thread(target=_stop_with_hub, args=(run_dir, addresses.run, stop), daemon=True).start()
    with Publisher(addresses.publish, source="sampler", run=addresses.run, clock=clock) as bus:
        Sampler(bus, gpus, clock, SAMPLE_SECONDS).run(stop)
    return 0


def _stop_with_hub(run_dir: Path, run: str, stop: threading.Event) -> None:
    """Set `stop` when the hub of `run` is gone."""
    while not stop.wait(SAMPLE_SECONDS):
        try:
            gone = read_addresses(run_dir).run != run
        except AddressError:
            gone = True
        if gone:
            stop.set()
