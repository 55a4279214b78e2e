"""How a fleet is shown by the commands: once, or again and again; as a dashboard, or as JSON."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import click
from rich.console import Console

from monitor.dashboard import LoadBalancingDashboard
from monitor.model.selection import SORTS, ViewOptions, select, unmatched
from monitor.model.view_model import Row
from monitor.terminal.keys import Key, Keys
from monitor.terminal.screen import is_screen
from virnucpro_bus.clock import Clock, SystemClock
from virnucpro_bus.fold.report import FleetReport
from virnucpro_bus.metrics import MetricsSource, UtilizationSource
from virnucpro_bus.system.console import say
from virnucpro_bus.system.keyboard import Keyboard, is_interactive, read_forwarded
from virnucpro_bus.system.signals import SignalFlag

_STANDARD_INPUT = 0
VIEW_KEYS = "n p page  s sort"

once_option = click.option("--once", is_flag=True, help="Print the state once and end.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON objects (one an interval).")
sort_option = click.option(
    "--sort", type=click.Choice(SORTS), default="device", show_default=True, help="Order of the devices on screen."
)


def _parse_devices(context: click.Context, parameter: click.Parameter, value: str | None) -> frozenset[str] | None:
    if value is None:
        return None
    devices = frozenset(name.strip() for name in value.split(","))
    if "" in devices:
        raise click.BadParameter("write devices with commas between them, for example 0,3 or GPU-1a2b,node2:cpu:0")
    return devices


devices_option = click.option(
    "--devices", callback=_parse_devices, metavar="D,...",
    help="Only these: indices, UUIDs or how they begin, names as on screen; with HOST: before them, of that host.",
)  # fmt: skip
"""Gives the patterns; None for all devices."""


class Displayable(MetricsSource, UtilizationSource, Protocol):
    """What can be shown: one fleet, or several as one."""

    def report(self) -> FleetReport:
        """Everything at once, for `--json`."""
        ...


Driver = Callable[[Callable[[], object]], None]
"""Feeds a fleet until its run is over or what it is given says that it is stopped, which it asks often."""


def watch(
    advance: Driver,
    fleet: Displayable,
    clock: Clock,
    title: str,
    as_json: bool,
    interval_seconds: float,
    log_file: Path | None,
    *,
    look: ViewOptions,
    log_rotate_bytes: int | None = None,
    draw: bool = True,
    group: int | None = None,
) -> int:
    """Show the fleet until its run is over or somebody stops us; returns the exit status.

    Where there is a keyboard, keys turn the pages, change the order and end it. `group` is that of the run in
    whose place we draw: it reads the keyboard, passes on what is typed through our standard input, and ends us.
    None: the terminal is our own.
    """
    if group is not None:
        # `stty tostop` stops who draws without being in front.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with SignalFlag(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT) as signals:
        if as_json:
            _print_json_lines(advance, fleet, look, interval_seconds, lambda: signals.signal)
        else:
            with (
                LoadBalancingDashboard(
                    fleet,
                    fleet,
                    interval_seconds,
                    log_file,
                    clock=clock,
                    title=title,
                    draw=draw,
                    look=look,
                    log_rotate_bytes=log_rotate_bytes,
                    group=group,
                    keys=_keys_told(group),
                ) as dashboard,
                _keyboard(group) as pressed,
            ):
                advance(lambda: signals.signal or _moved(dashboard, pressed()))
    return 128 + signals.signal if signals.signal else 0


def has_keyboard() -> bool:
    """Whether a picture is shown where somebody can type."""
    return is_screen(Console()) and is_interactive(_STANDARD_INPUT)


def _keys_told(group: int | None) -> str:
    """What to say of the keys, where there are any; `group` as for `watch`."""
    if group is not None:
        return VIEW_KEYS if stat.S_ISFIFO(os.fstat(_STANDARD_INPUT).st_mode) else ""
    return f"{VIEW_KEYS}  q quit" if has_keyboard() else ""


@contextmanager
def _keyboard(group: int | None) -> Iterator[Callable[[], list[Key]]]:
    """What asks for the keys that were typed; where nobody can there are none. `group` as for `watch`."""
    if group is not None:
        os.set_blocking(_STANDARD_INPUT, False)
        keys = Keys(partial(read_forwarded, _STANDARD_INPUT))
        yield lambda: [key for key in keys.pressed() if key is not Key.QUIT]
    elif has_keyboard():
        with Keyboard(_STANDARD_INPUT) as keyboard:
            yield Keys(keyboard.typed).pressed
    else:
        yield list


def _moved(dashboard: LoadBalancingDashboard, keys: list[Key]) -> bool:
    """Give `dashboard` its keys; whether it is to end."""
    for key in keys:
        dashboard.press(key)
    return Key.QUIT in keys


def _print_json_lines(
    advance: Driver, fleet: Displayable, look: ViewOptions, interval_seconds: float, stopped: Callable[[], object]
) -> None:
    """One compact object a line: now, at every interval, and at the end."""
    clock = SystemClock()
    due_ns = clock.mono_ns()
    _tell_missing(fleet, look)

    def tick() -> object:
        nonlocal due_ns
        if clock.mono_ns() >= due_ns:
            due_ns = clock.mono_ns() + int(interval_seconds * 1e9)
            click.echo(json.dumps(_report(fleet, look)))
        return stopped()

    advance(tick)
    click.echo(json.dumps(_report(fleet, look)))


def show_once(
    fleet: Displayable,
    as_json: bool,
    title: str,
    look: ViewOptions,
    *,
    indented: bool,
    log_file: Path | None = None,
    log_rotate_bytes: int | None = None,
    draw: bool = True,
) -> None:
    """Print the state of the fleet, and log it. `indented` JSON is for people: it takes more than a line."""
    if as_json:
        _tell_missing(fleet, look)
        click.echo(json.dumps(_report(fleet, look), indent=2 if indented else None))
        return
    LoadBalancingDashboard(
        fleet, fleet, log_file=log_file, title=title, draw=draw, look=look, log_rotate_bytes=log_rotate_bytes
    ).show_once()


def _report(fleet: Displayable, look: ViewOptions) -> FleetReport:
    report = fleet.report()
    if look.devices is None:
        return report
    own = {id(device) for device, _ in select(_rows(report), look.devices)}
    return {**report, "devices": [device for device in report["devices"] if id(device) in own]}


def _rows(report: FleetReport) -> list[Row]:
    return [(device, device) for device in report["devices"]]


def _tell_missing(fleet: Displayable, look: ViewOptions) -> None:
    """Say on stderr which of the devices asked for are not there; they may yet come."""
    for pattern in unmatched(_rows(fleet.report()), look.devices or ()):
        say(f"no device fits {pattern}")
