"""The subcommands that show something: `monitor`, `replay`; and `sample`, which feeds them."""

from __future__ import annotations

import json
import signal
import socket
import threading
from pathlib import Path

import click

from monitor.dashboard import LoadBalancingDashboard
from monitor.follow import follow, read_up
from monitor.gpu import GPUMonitor
from monitor.sampler import Sampler
from virnucpro_bus.clock import Clock, SystemClock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.fleet import FleetState
from virnucpro_bus.options import interval_option
from virnucpro_bus.publisher import Publisher
from virnucpro_bus.replay import Replay, fold_capture
from virnucpro_bus.rundir import CAPTURE_NAME, read_addresses
from virnucpro_bus.signals import SignalFlag
from virnucpro_bus.subscriber import EventSource, Subscriber, history_address

SAMPLE_SECONDS = 1.0

once_option = click.option("--once", is_flag=True, help="Print the state once and end.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON objects (one an interval).")


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
        source = Subscriber(history_address(target), clock, None if "://" in target else Path(target))
    except AddressError:
        capture = Path(target) / CAPTURE_NAME
        if headless or not capture.is_file():
            raise
        fleet = fold_capture(capture, clock)
        _show_once(fleet, as_json, f"{target} (over)" if fleet.finished else f"{target} (broken off)")
        return 0
    fleet = FleetState(clock, local_host=socket.gethostname())
    try:
        read_up(source, fleet)
        if once:
            _show_once(fleet, as_json, target)
            return 0
        return _watch(source, fleet, clock, target, as_json, interval_seconds, log_file, draw=not headless)
    finally:
        source.close()


def _parse_rate(context: click.Context, parameter: click.Parameter, value: str) -> float | None:
    if value == "max":
        return None
    try:
        rate = float(value)
    except ValueError:
        rate = 0.0
    if not 0.001 <= rate <= 1e6:
        raise click.BadParameter("write a number from 0.001 to 1000000, or max")
    return rate


@click.command(short_help="Watch a recorded run.")
@click.argument("capture", type=click.Path(path_type=Path))
@click.option("--rate", default="1", show_default=True, callback=_parse_rate, metavar="X|max",
              help="Recorded seconds per second.")  # fmt: skip
@once_option
@json_option
@interval_option
def replay(capture: Path, rate: float | None, once: bool, as_json: bool, interval_seconds: float) -> int:
    """Play CAPTURE (a run.vbus file, or a run folder) through the dashboard, as it was live.

    \b
    Examples:
      virnucpro-bus replay first-run --rate 10
      virnucpro-bus replay first-run/run.vbus --once --json      the state at the end
    """
    clock = SystemClock()
    path = capture / CAPTURE_NAME if capture.is_dir() else capture
    if once or rate is None:
        _show_once(fold_capture(path, clock), as_json, f"{path} (end)")
        return 0
    source = Replay(path, clock, rate)
    return _watch(source, FleetState(source), source, f"{path} at {rate:g} x", as_json, interval_seconds, None)


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


def _watch(
    source: EventSource,
    fleet: FleetState,
    clock: Clock,
    title: str,
    as_json: bool,
    interval_seconds: float,
    log_file: Path | None,
    *,
    draw: bool = True,
) -> int:
    """Show the fleet until its run is over or somebody stops us; returns the exit status."""
    with SignalFlag(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        if as_json:
            _print_json_lines(source, fleet, interval_seconds, signals)
        else:
            with LoadBalancingDashboard(
                fleet, fleet, interval_seconds, log_file, clock=clock, title=title, draw=draw
            ):
                follow(source, fleet, SystemClock(), lambda: signals.signal)
    return 128 + signals.signal if signals.signal else 0


def _print_json_lines(
    source: EventSource, fleet: FleetState, interval_seconds: float, signals: SignalFlag
) -> None:
    """One compact object a line: now, at every interval, and at the end."""
    clock = SystemClock()
    due_ns = clock.mono_ns()

    def tick() -> int:
        nonlocal due_ns
        if clock.mono_ns() >= due_ns:
            due_ns = clock.mono_ns() + int(interval_seconds * 1e9)
            click.echo(json.dumps(fleet.report()))
        return signals.signal

    follow(source, fleet, clock, tick)
    click.echo(json.dumps(fleet.report()))


def _show_once(fleet: FleetState, as_json: bool, title: str) -> None:
    if as_json:
        click.echo(json.dumps(fleet.report(), indent=2))
        return
    LoadBalancingDashboard(fleet, fleet, log_file=None, title=title).show_once()
