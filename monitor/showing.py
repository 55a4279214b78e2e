"""How a fleet is shown by the commands: once, or again and again; as a dashboard, or as JSON."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import click

from monitor.dashboard import LoadBalancingDashboard
from virnucpro_bus.clock import Clock, SystemClock
from virnucpro_bus.fleet import FleetReport
from virnucpro_bus.metrics import MetricsSource, UtilizationSource
from virnucpro_bus.signals import SignalFlag

once_option = click.option("--once", is_flag=True, help="Print the state once and end.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON objects (one an interval).")


class Shown(MetricsSource, UtilizationSource, Protocol):
    """What can be shown: one fleet, or several as one."""

    def report(self) -> FleetReport:
        """Everything at once, for `--json`."""
        ...


Advance = Callable[[Callable[[], object]], None]
"""Feeds a fleet until its run is over or what it is given says that it is stopped, which it asks often."""


def watch(
    advance: Advance,
    fleet: Shown,
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
            _print_json_lines(advance, fleet, interval_seconds, lambda: signals.signal)
        else:
            with LoadBalancingDashboard(
                fleet, fleet, interval_seconds, log_file, clock=clock, title=title, draw=draw
            ):
                advance(lambda: signals.signal)
    return 128 + signals.signal if signals.signal else 0


def _print_json_lines(
    advance: Advance, fleet: Shown, interval_seconds: float, stopped: Callable[[], object]
) -> None:
    """One compact object a line: now, at every interval, and at the end."""
    clock = SystemClock()
    due_ns = clock.mono_ns()

    def tick() -> object:
        nonlocal due_ns
        if clock.mono_ns() >= due_ns:
            due_ns = clock.mono_ns() + int(interval_seconds * 1e9)
            click.echo(json.dumps(fleet.report()))
        return stopped()

    advance(tick)
    click.echo(json.dumps(fleet.report()))


def show_once(fleet: Shown, as_json: bool, title: str) -> None:
    if as_json:
        click.echo(json.dumps(fleet.report(), indent=2))
        return
    LoadBalancingDashboard(fleet, fleet, log_file=None, title=title).show_once()
