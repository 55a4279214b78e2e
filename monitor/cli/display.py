"""How `monitor` and `replay` show a fleet: once or continuously, as a dashboard or as JSON."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, cast

import click
from rich.console import Console

from monitor.dashboard import LoadBalancingDashboard
from monitor.model.selection import EVERYTHING, SORTS, ViewOptions, select, unmatched
from monitor.model.view_model import Row
from monitor.terminal.keys import Key, Keys
from monitor.terminal.screen import is_screen
from virnucpro_bus.clock import NANOSECONDS, Clock, SystemClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.fold.report import FleetReport
from virnucpro_bus.metrics import MetricsSource, UtilizationSource
from virnucpro_bus.system.console import EXIT_NOT_RESTORED, say
from virnucpro_bus.system.keyboard import Keyboard, is_interactive, read_forwarded
from virnucpro_bus.system.signals import SignalFlag
from virnucpro_bus.system.standard_streams import abandon_output

VIEW_KEYS = "n p page  s sort"
"""The keys that move the view, as the screen lists them."""
_STANDARD_INPUT = 0


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
sort_option = click.option(
    "--sort", type=click.Choice(SORTS), default="device", show_default=True,
    help="Order of the devices on screen: by name, by greatest utilization, or by longest queue.",
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


class Displayable(MetricsSource, UtilizationSource, Protocol):
    """What can be shown: one fleet, or several as one."""

    def report(self) -> FleetReport:
        """Return everything at one moment, for `--json`."""
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

    Keys turn the pages, change the order and quit, if there is a keyboard. Raises OSError at the end when lines
    could not be written, but not for a run, which reports it itself.
    """
    if options.group is not None:
        # With `stty tostop` this signal would stop a process that draws in the background.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with SignalFlag(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT) as signals:
        if options.as_json:
            _print_json_lines(driver, fleet, options, lambda: signals.signal)
        else:
            with (
                make_dashboard(fleet, options, clock, _usable_keys(options.group)) as dashboard,
                _keyboard(options.group) as pressed,
            ):
                if title is not None:
                    driver = _retitling(driver, dashboard, title, options.title)
                driver(lambda: signals.signal or _pass_keys(dashboard, pressed()))
            if options.group is not None:
                abandon_output()
                if not dashboard.is_terminal_restored:
                    return EXIT_NOT_RESTORED
            elif dashboard.write_error is not None:
                raise dashboard.write_error
    return 128 + signals.signal if signals.signal else 0


def show_once(fleet: Displayable, options: DisplayOptions) -> None:
    """Print the state of `fleet`, and log it.

    Raises OSError when it cannot be printed, but not for a run, which reports it itself.
    """
    if options.as_json:
        _report_unmatched(fleet, options.view)
        indent = 2 if options.once else None
        click.echo(json.dumps(selected_report(fleet, options.view), indent=indent))
        return
    try:
        make_dashboard(fleet, options).show_once()
    except OSError:
        if options.group is None:
            raise
    if options.group is not None:
        abandon_output()


def make_dashboard(
    fleet: Displayable, options: DisplayOptions, clock: Clock | None = None, keys: str = ""
) -> LoadBalancingDashboard:
    """Make a dashboard of `fleet`. `clock` and `keys` are as for LoadBalancingDashboard."""
    return LoadBalancingDashboard(
        fleet,
        fleet,
        options.interval_seconds,
        options.log_file,
        clock=clock,
        title=options.title,
        draw=options.draw,
        look=options.view,
        log_rotate_bytes=options.log_rotate_bytes,
        group=options.group,
        keys=keys,
        hint=options.hint,
    )


def has_keyboard() -> bool:
    """Whether pictures are shown on a terminal that a user can type on."""
    return is_screen(Console()) and is_interactive(_STANDARD_INPUT)


def _usable_keys(group: int | None) -> str:
    """The keys that the screen lists, if any can be typed; `group` is as for DisplayOptions."""
    if group is not None:
        return VIEW_KEYS if stat.S_ISFIFO(os.fstat(_STANDARD_INPUT).st_mode) else ""
    return f"{VIEW_KEYS}  q quit" if has_keyboard() else ""


@contextmanager
def _keyboard(group: int | None) -> Iterator[Callable[[], list[Key]]]:
    """Give a function that returns the keys typed since its last call; `group` is as for DisplayOptions."""
    if group is not None:
        os.set_blocking(_STANDARD_INPUT, False)
        keys = Keys(partial(read_forwarded, _STANDARD_INPUT))
        yield lambda: [key for key in keys.pressed() if key is not Key.QUIT]
    elif has_keyboard():
        with Keyboard(_STANDARD_INPUT) as keyboard:
            yield Keys(keyboard.typed).pressed
    else:
        yield list


def _retitling(driver: Driver, dashboard: LoadBalancingDashboard, title: Callable[[], str], shown: str) -> Driver:
    """Return a driver that also keeps the title of `dashboard` up to date, which is `shown` at first."""

    def drive(stopped: Callable[[], object]) -> None:
        def stopped_or_retitled() -> object:
            nonlocal shown
            if (now := title()) != shown:
                shown = now
                dashboard.retitle(shown)
            return stopped()

        driver(stopped_or_retitled)

    return drive


def _pass_keys(dashboard: LoadBalancingDashboard, keys: list[Key]) -> bool:
    """Pass `keys` to `dashboard`. Returns whether one of them quits."""
    for key in keys:
        dashboard.press(key)
    return Key.QUIT in keys


def _print_json_lines(
    driver: Driver, fleet: Displayable, options: DisplayOptions, stopped: Callable[[], object]
) -> None:
    """Print one compact object per line: now, at every interval, and at the end, whatever that is."""
    clock = SystemClock()
    due_ns = clock.mono_ns()
    _report_unmatched(fleet, options.view)

    def print_when_due() -> object:
        nonlocal due_ns
        if clock.mono_ns() >= due_ns:
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
    report = fleet.report()
    if view.devices is None:
        return report
    selected = {id(device) for device, _ in select(_rows(report), view.devices)}
    return {**report, "devices": [device for device in report["devices"] if id(device) in selected]}


def _rows(report: FleetReport) -> list[Row]:
    # A device of a report has the fields of both halves of a row.
    return [cast("Row", (device, device)) for device in report["devices"]]


def _report_unmatched(fleet: Displayable, view: ViewOptions) -> None:
    """Print on stderr which of the selected devices are absent; they may appear later."""
    for pattern in unmatched(_rows(fleet.report()), view.devices or ()):
        say(f"no device matches {pattern}")
