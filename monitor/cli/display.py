"""How `monitor` and `replay` show a fleet: once or continuously, as a dashboard or as JSON."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import click

from monitor.model.selection import EVERYTHING, ViewOptions, select, unmatched
from virnucpro_bus.clock import NANOSECONDS, Clock, SystemClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.health.rows import Row
from virnucpro_bus.metrics import MetricsSource, UtilizationSource
from virnucpro_bus.system.console import EXIT_NOT_RESTORED, say
from virnucpro_bus.system.signals import SignalFlag

if TYPE_CHECKING:
    from virnucpro_bus.fold.report import FleetReport


def _parse_devices(context: click.Context, parameter: click.Parameter, value: str | None) -> frozenset[str] | None:
    if value is None:
        return None
    devices = frozenset(name.strip() for name in value.split(","))
    if "" in devices:
        raise click.BadParameter("expected devices separated by commas, for example 0,3 or GPU-1a2b,node2:cpu:0")
    return devices


once_option = click.option("--once", is_flag=True, help="Print the state once and exit.")
json_option = click.option(
    "--json", "as_json", is_flag=True,
    help="Print JSON instead of a dashboard: one object per interval, or one in all with --once.",
)  # fmt: skip
devices_option = click.option(
    "--devices", callback=_parse_devices, metavar="D,...",
    help="Show and log only these devices: indices, UUIDs or their beginnings, or names as on screen; with HOST: "
    "in front, those of one host (default: all devices).",
)  # fmt: skip
"""Gives the patterns; None for all devices."""


@dataclass(frozen=True)
class DisplayOptions:
    """How a command shows a fleet, and where it logs it."""

    title: str = ""
    """The name of the run on screen."""
    view: ViewOptions = EVERYTHING
    """The devices that are shown and logged, and their order on screen."""
    once: bool = False
    """Whether only one state is asked for: its JSON is indented for people, otherwise an object is a line."""
    as_json: bool = False
    """Whether JSON is printed instead of a dashboard."""
    interval_seconds: float = 2.0
    """Seconds between screen updates, log rows and JSON objects."""
    log_file: Path | None = None
    """The metrics log; None: no log."""
    log_rotate_bytes: int | None = None
    """The size from which the log is rotated; None: never."""
    draw: bool = True
    """Whether the dashboard is visible; otherwise it only logs."""
    group: int | None = None
    """The process group of the run for which the dashboard is drawn; None: the terminal is our own.

    That run reads the keyboard, forwards what is typed to our standard input, and ends us.
    """
    hint: str = ""
    """A line that stays on the screen."""
    run_dirs: tuple[Path, ...] = ()
    """The run folders that are on this machine, for their logs."""
    only_end: bool = False
    """Whether nothing is shown before the end: with `as_json` one object then, else nothing."""
    line_seconds: float = 30.0
    """Seconds between plain lines, where the output is not a terminal."""


class Displayable(MetricsSource, UtilizationSource, Protocol):
    """What can be shown: one fleet, or several as one."""

    def report(self) -> FleetReport:
        """Return everything at one moment, for `--json`."""
        ...

    @property
    def draining_reason(self) -> str | None:
        """Why no more files are handed out; None while they are, and at the end."""
        ...


Driver = Callable[[Callable[[], object]], None]
"""Feeds a fleet until its run is over or the given function, which it calls often, returns true."""


def watch(
    driver: Driver,
    fleet: Displayable,
    clock: Clock,
    options: DisplayOptions,
    title: Callable[[], str] | None = None,
) -> int:
    """Show `fleet` until its run is over, or a key or signal ends it. Returns the exit status.

    `title` returns the name on screen where that changes; None: it stays that of `options`.

    Raises OSError at the end when lines could not be written, but not for a run, which reports it itself.
    """
    with SignalFlag(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT) as signals:
        if options.as_json:
            _print_json_lines(driver, fleet, options, lambda: signals.signal)
        elif options.only_end and options.log_file is None:
            driver(lambda: signals.signal)
        else:
            from monitor.cli.drawing import draw

            if not draw(driver, fleet, clock, options, title or (lambda: options.title), lambda: signals.signal):
                return EXIT_NOT_RESTORED
    return 128 + signals.signal if signals.signal else 0


def show_once(fleet: Displayable, options: DisplayOptions) -> None:
    """Print the state of `fleet`, and log it.

    Raises OSError when it cannot be printed, but not for a run, which reports it itself.
    """
    if options.as_json:
        report = fleet.report()
        _warn_of_absent(report, options.view)
        click.echo(json.dumps(selected(report, options.view), indent=2 if options.once else None))
        return
    from monitor.cli.drawing import draw_once

    draw_once(fleet, options)


def _print_json_lines(
    driver: Driver, fleet: Displayable, options: DisplayOptions, stopped: Callable[[], object]
) -> None:
    """Print one compact object per line: now, at every interval, and at the end, whatever that is.

    With `only_end` that at the end alone.
    """
    clock = SystemClock()
    due_ns = clock.mono_ns()
    if options.view.devices:
        _warn_of_absent(fleet.report(), options.view)

    def print_when_due() -> object:
        nonlocal due_ns
        if clock.mono_ns() >= due_ns and not options.only_end:
            due_ns = clock.mono_ns() + int(options.interval_seconds * NANOSECONDS)
            click.echo(json.dumps(selected_report(fleet, options.view)))
        return stopped()

    try:
        driver(print_when_due)
    except UserError:
        click.echo(json.dumps(selected_report(fleet, options.view)))
        raise
    click.echo(json.dumps(selected_report(fleet, options.view)))


def selected_report(fleet: Displayable, view: ViewOptions) -> FleetReport:
    """The report of `fleet` with the devices that `view` selects."""
    return selected(fleet.report(), view)


def selected(report: FleetReport, view: ViewOptions) -> FleetReport:
    """The report with the devices that `view` selects."""
    if view.devices is None:
        return report
    chosen = {id(device) for device, _ in select(_rows(report), view.devices)}
    return {**report, "devices": [device for device in report["devices"] if id(device) in chosen]}


def _rows(report: FleetReport) -> list[Row]:
    # A device of a report has the fields of both halves of a row.
    return [cast("Row", (device, device)) for device in report["devices"]]


def _warn_of_absent(report: FleetReport, view: ViewOptions) -> None:
    """Print on stderr which of the selected devices are absent; they may appear later."""
    for pattern in unmatched(_rows(report), view.devices or ()):
        say(f"no device matches {pattern}")
