"""The subcommand `monitor`, which shows runs."""

from __future__ import annotations

import os
import signal
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
    hook_options,
    http_listen,
    http_options,
    interval_option,
    line_interval_option,
    log_rotate_option,
    sort_option,
)
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.system.console import say
from virnucpro_bus.system.signals import SignalFlag

if TYPE_CHECKING:
    from monitor.attach import FollowedBuses
    from monitor.runs.this_machine import ThisMachine
    from monitor.scripting.calls import Kind

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
@click.option(
    "--wait",
    is_flag=True,
    help="Show nothing but how the run has ended, once it is over; wait also for one that has not begun.",
)
@click.option(
    "--exit-status",
    is_flag=True,
    help="Exit with the status of the run, of several with the greatest; 1 if it was broken off.",
)
@hook_options
@click.option("--launched", "is_launched", is_flag=True, hidden=True, help="Call the commands of a run for it.")
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
    wait: bool,
    exit_status: bool,
    hooks: dict[Kind, tuple[str, ...]],
    is_launched: bool,
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
      virnucpro-bus monitor first-run --wait --exit-status && sort first-run/results/*.tsv
    """
    if log_file is not None and as_json:
        raise click.UsageError("--log-file needs the dashboard: leave out --json")
    if log_rotate_bytes is not None and log_file is None:
        raise click.UsageError("--log-rotate needs --log-file PATH")
    listen = http_listen(http, http_token_file)
    if once and listen is not None:
        raise click.UsageError("--http serves until it is interrupted: leave out --once")
    if group is not None:
        # Only the environment can give these to the monitor of a run: they are for the user's own.
        wait, exit_status, hooks = False, False, {}
    if once and (wait or exit_status or hooks):
        raise click.UsageError(
            "--once shows the run as it is now: leave it out for --wait, --exit-status and --on-... commands"
        )
    if not (dashboard or wait or hooks) and log_file is None and listen is None:
        raise click.UsageError("--no-dashboard needs --log-file PATH, --http PORT or --wait")
    from monitor.attach import FollowedBus, FollowedBuses
    from monitor.cli.serve_page import hold_page, serving_page
    from monitor.runs.row import row_of
    from monitor.scripting.hooks import Hooks
    from monitor.scripting.standing import EXIT_UNKNOWN, UNREACHABLE, standing_of

    clock = SystemClock()
    places = with_server_keys(targets or (HERE,), server_keys)
    if wait and (number := _wait_for_runs(targets or (HERE,))):
        return 128 + number
    followed = [
        FollowedBus(
            target,
            clock,
            key,
            interval_seconds=interval_seconds,
            accept_ended=dashboard or group is None,
            on_wait=say if wait else None,
        )
        for target, key in places
    ]
    if is_launched:
        from monitor.scripting.launched import watch_for_launcher

        return watch_for_launcher(followed[0], hooks, clock, interval_seconds)
    watched: FollowedBuses | ThisMachine
    if targets or wait or exit_status or hooks or row_of(Path(HERE)) is not None:
        watched = FollowedBuses(followed, clock)
    else:
        from monitor.runs.this_machine import ThisMachine

        watched, followed = ThisMachine(clock, interval_seconds, once=once), []
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
            draw=dashboard and not wait,
            only_end=wait,
            group=group,
        )
        calls, failure = Hooks(hooks, followed, clock, interval_seconds), None
        with serving_page(listen, buses.fleets, options, lambda: buses.title) as hint:
            if once or not buses.live:
                show_once(buses.fleets, options)
                _print_errors(buses)
                status = 0
            else:
                # A dashboard shows problems itself while it has the screen.
                report: Callable[[str], None] = say if as_json or wait else lambda problem: None
                follow = calls.during(partial(buses.follow, report=report))
                shown = replace(options, hint=hint)
                try:
                    status = watch(follow, buses.fleets, clock, shown, lambda: buses.title)
                except UserError as error:
                    status, failure = 0, error
                if not as_json and failure is None:
                    _print_errors(buses)
            if buses.live or status:
                return status or (EXIT_UNKNOWN if exit_status else 0)
            calls.finish()
            ends = [standing_of(bus) for bus in followed]
            if group is None and not as_json and (wait or not dashboard):
                for end in ends:
                    click.echo(end.line)
            if failure is not None:
                if not (wait or exit_status) or any(end.state == UNREACHABLE for end in ends):
                    raise failure
                say(str(failure))
            if listen is not None and group is None and not wait:
                status = hold_page()
            return max(end.status for end in ends) if exit_status else status


def _wait_for_runs(targets: Sequence[str]) -> int:
    """Wait until each folder among them has a run; return the number of a signal that came before that, else 0."""
    from monitor.scripting.beginning import wait_for_runs

    with SignalFlag(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        wait_for_runs([target for target in targets if "://" not in target], signals)
    return signals.signal


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
