"""The subcommand `monitor`, which shows runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.display import (
    DisplayOptions,
    devices_option,
    json_option,
    once_option,
    show_once,
    watch,
)
from monitor.model.selection import ViewOptions
from virnucpro_bus.cli.options import (
    PathArgument,
    TargetArgument,
    columns_option,
    http_listen,
    http_options,
    interval_option,
    line_interval_option,
    log_rotate_option,
    sort_option,
)
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.system.console import say

if TYPE_CHECKING:
    from monitor.attach import FollowedBuses
    from monitor.runs.this_machine import ThisMachine

HERE = "."


def _parse_server_keys(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> list[bytes]:
    if not values:
        return []
    from virnucpro_bus.remote.keys import parse_key

    return [parse_key(value) for value in values]


@click.command
@click.argument("targets", nargs=-1, type=TargetArgument(), metavar="[RUN_DIR|ADDRESS]...")
@click.option(
    "--server-key", "server_keys", multiple=True, callback=_parse_server_keys, metavar="KEY",
    help="Public key of the relay at a tcp:// address: once for all addresses, or once for each in their order.",
)  # fmt: skip
@once_option
@json_option
@interval_option
@line_interval_option
@devices_option
@columns_option
@sort_option
@click.option(
    "--log-file", type=PathArgument(dir_okay=False, path_type=Path), metavar="PATH",
    help="Append a row per device and interval to this metrics log (CSV; default: no log).",
)  # fmt: skip
@log_rotate_option
@click.option("--dashboard/--no-dashboard", default=True, show_default=True,
              help="Show the runs live in the terminal, or only write the log and serve --http.")  # fmt: skip
@http_options
@click.option("--group", type=int, hidden=True, help="Belong to the run of this process group, on its terminal.")
def monitor(
    targets: tuple[str, ...],
    server_keys: list[bytes],
    once: bool,
    as_json: bool,
    interval_seconds: float,
    line_seconds: float,
    devices: frozenset[str] | None,
    columns: tuple[str, ...] | None,
    sort: str,
    log_file: Path | None,
    log_rotate_bytes: int | None,
    dashboard: bool,
    http: str | None,
    http_token_file: Path | None,
    group: int | None,
) -> int:
    """Watch the run in RUN_DIR (the folder given to `run --out` or `hub`), or several.

    Without RUN_DIR, watch the run in the current folder, if there is one; otherwise the GPUs of this machine, and
    your latest run on it: at once if one is live, or as soon as one begins.

    A monitor may start late, stop and start again: its counts are exact. An ADDRESS is that of a relay on another
    machine, tcp://HOST:PORT. A run that has ended or was interrupted is shown in its last state. Several runs are
    shown as one fleet; if one of them becomes unreachable the others are still shown. With --http the monitor also
    serves them to browsers, and continues to do so after their end, until it is interrupted.

    In a terminal: ? lists the keys. Arrows choose a device and Enter shows it; f shows the files, l the logs and
    e the effect of stealing; Esc goes back; n and p (or page down and page up) turn the page, s changes the order,
    q quits. The pages turn by themselves until a key is pressed.

    \b
    Examples:
      virnucpro-bus monitor
      virnucpro-bus monitor first-run
      virnucpro-bus monitor first-run --once --json
      virnucpro-bus monitor first-run --devices 0,3 --sort utilization
      virnucpro-bus monitor tcp://node1:5555 tcp://node2:5555 --server-key KEY1 --server-key KEY2
      virnucpro-bus monitor first-run --no-dashboard --http 9101
    """
    if log_file is not None and as_json:
        raise click.UsageError("--log-file needs the dashboard: leave out --json")
    if log_rotate_bytes is not None and log_file is None:
        raise click.UsageError("--log-rotate needs --log-file PATH")
    listen = http_listen(http, http_token_file)
    if once and listen is not None:
        raise click.UsageError("--http serves until it is interrupted: leave out --once")
    if not dashboard and log_file is None and listen is None:
        raise click.UsageError("--no-dashboard needs --log-file PATH or --http PORT")
    from monitor.attach import FollowedBus, FollowedBuses
    from monitor.cli.serve_page import hold_page, serving_page
    from monitor.runs.row import row_of

    clock = SystemClock()
    followed = [
        FollowedBus(
            target,
            clock,
            key,
            interval_seconds=interval_seconds,
            accept_ended=dashboard or group is None,
        )
        for target, key in with_server_keys(targets or (HERE,), server_keys)
    ]
    watched: FollowedBuses | ThisMachine
    if targets or row_of(Path(HERE)) is not None:
        watched = FollowedBuses(followed, clock)
    else:
        from monitor.runs.this_machine import ThisMachine

        watched = ThisMachine(clock, interval_seconds, once=once)
    with watched as buses:
        options = DisplayOptions(
            title=buses.title,
            view=ViewOptions(sort, devices=devices, columns=columns),
            once=once,
            as_json=as_json,
            interval_seconds=interval_seconds,
            line_seconds=line_seconds,
            run_dirs=tuple(Path(target) for target in targets or (HERE,) if "://" not in target),
            log_file=log_file,
            log_rotate_bytes=log_rotate_bytes,
            draw=dashboard,
            group=group,
        )
        with serving_page(listen, buses.fleets, options, lambda: buses.title) as hint:
            if once or not buses.live:
                show_once(buses.fleets, options)
                _print_errors(buses)
                status = 0
            else:
                # A dashboard shows problems itself while it has the screen.
                report: Callable[[str], None] = say if as_json else lambda problem: None
                follow = partial(buses.follow, report=report)
                shown = replace(options, hint=hint)
                status = watch(follow, buses.fleets, clock, shown, lambda: buses.title)
                if not as_json:
                    _print_errors(buses)
            is_over = not buses.live and status == 0
            return hold_page() if is_over and listen is not None and group is None else status


def with_server_keys(targets: Sequence[str], server_keys: Sequence[bytes]) -> list[tuple[str, bytes | None]]:
    """Return each target with its server's key; None for a target without one. Raises UsageError."""
    places = [target if "://" in target else os.path.realpath(target) for target in targets]
    for target, place in zip(targets, places, strict=True):
        if places.count(place) > 1:
            raise click.UsageError(f"{target}: is given twice")
    remote = sum(target.startswith("tcp://") for target in targets)
    if server_keys and not remote:
        raise click.UsageError("--server-key needs an address tcp://HOST:PORT")
    if len(server_keys) not in (0, 1, remote):
        raise click.UsageError("--server-key: give it once for all tcp:// addresses, or once for each of them")
    keys = iter(server_keys if len(server_keys) == remote else [*server_keys] * remote)
    return [(target, next(keys, None) if target.startswith("tcp://") else None) for target in targets]


def _print_errors(buses: FollowedBuses | ThisMachine) -> None:
    for error in buses.bus_errors():
        say(error)
