"""Command line options and arguments that several commands share."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from virnucpro_bus.display_names import COLUMN_NAMES, SORTS
from virnucpro_bus.errors import UserError
from virnucpro_bus.spelling import did_you_mean
from virnucpro_bus.system.console import say

if TYPE_CHECKING:
    from virnucpro_bus.remote.http_address import HttpListen

_SIZE = re.compile(r"([0-9]{1,18})([KMG]?)", re.IGNORECASE)
_SHIFTS = {"": 0, "K": 10, "M": 20, "G": 30}
_MIN_BYTES, _MAX_BYTES = 1 << 10, 1_000_000 << 30


class PathArgument(click.Path):
    """A path that is not empty: an empty one would be taken for the current folder."""

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path. Raises BadParameter for an empty one."""
        if value == "":
            self.fail("the name is empty", parameter, context)
        return super().convert(value, parameter, context)


class TargetArgument(PathArgument):
    """What can be watched, as text: a run folder, an address, or, with `or_file`, a capture."""

    def __init__(self, *, or_file: bool = False) -> None:
        super().__init__(readable=False)
        self._completed_as = "file" if or_file else "dir"

    def shell_complete(
        self, context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Let the shell complete folders, or files and folders with `or_file`."""
        return [CompletionItem(incomplete, type=self._completed_as)]


class SecondsArgument(click.FloatRange):
    """A number of seconds within limits."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        """Return the number. Raises BadParameter, also for nan, which no limit excludes."""
        seconds = float(super().convert(value, parameter, context))
        if math.isnan(seconds):
            self.fail("nan is not a number of seconds", parameter, context)
        return seconds


runs_argument = click.argument(
    "runs", metavar="RUN...", nargs=-1, required=True, type=PathArgument(path_type=Path)
)
"""The paths of run.vbus files or run folders, as `runs`."""
interval_option = click.option(
    "-i", "--interval", "interval_seconds", default=2.0, show_default=True, metavar="SECONDS",
    type=SecondsArgument(0.1, 3600), help="Seconds between screen updates and log rows.",
)  # fmt: skip
line_interval_option = click.option(
    "--line-interval", "line_seconds", default=30.0, show_default=True, metavar="SECONDS",
    type=SecondsArgument(0.1, 86_400),
    help="Seconds between lines where the output is not a terminal (a batch log); notices come at once.",
)  # fmt: skip


def _parse_columns(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[str, ...] | None:
    """Return the names of columns. Raises BadParameter."""
    if value is None:
        return None
    names = tuple(name.strip().lower() for name in value.split(","))
    for name in names:
        if name not in COLUMN_NAMES:
            meant = did_you_mean(name, COLUMN_NAMES)
            raise click.BadParameter(
                f"'{name}': is not a column{meant}: expected some of {', '.join(COLUMN_NAMES)}"
            )
    return names


def _complete_columns(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return _complete_last(incomplete, COLUMN_NAMES)


def _complete_last(incomplete: str, names: Iterable[str]) -> list[CompletionItem]:
    """Complete the last of names that are separated by commas."""
    before, comma, prefix = incomplete.rpartition(",")
    return [CompletionItem(before + comma + name) for name in names if name.startswith(prefix)]


columns_option = click.option(
    "--columns", callback=_parse_columns, metavar="C,...", shell_complete=_complete_columns,
    help="Show these columns of the table, by their headers, as far as they fit, such as state,compute,file "
    "(default: those that tell something, the most important first).",
)  # fmt: skip
"""Gives the names; None for those that tell something."""
sort_option = click.option(
    "--sort", type=click.Choice(SORTS), default="device", show_default=True,
    help="Order of the devices on screen: by name, by greatest utilization, or by longest queue.",
)  # fmt: skip


_DISPLAY_OPTIONS = {"line_seconds", "columns", "sort"}


def display_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a dashboard that another process shows.

    `command` gets as `display` those that were given, as arguments for `monitor`. Those that were not have the
    defaults of that command, which its environment variables change.
    """

    @wraps(command)
    def with_display(**options: Any) -> Any:
        context = click.get_current_context()
        display: list[str] = []
        for option in context.command.params:
            if option.name in _DISPLAY_OPTIONS:
                value = options.pop(option.name)
                if context.get_parameter_source(option.name) is not ParameterSource.DEFAULT:
                    display += [option.opts[0], ",".join(value) if isinstance(value, tuple) else str(value)]
        return command(display=tuple(display), **options)

    return line_interval_option(columns_option(sort_option(with_display)))


def _parse_size(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Return a size in bytes; K, M and G are powers of 1024. Raises BadParameter."""
    if value is None:
        return None
    match = _SIZE.fullmatch(value)
    size = int(match[1]) << _SHIFTS[match[2].upper()] if match else 0
    if not _MIN_BYTES <= size <= _MAX_BYTES:
        raise click.BadParameter(f"'{value}': is not a size: expected 1K to 1000000G, for example 10M")
    return size


log_rotate_option = click.option(
    "--log-rotate", "log_rotate_bytes", callback=_parse_size, metavar="SIZE",
    help="Start a new metrics log before it exceeds SIZE bytes (10M, 1G) and keep nine old ones (default: never).",
)  # fmt: skip


listen_option = click.option(
    "--listen", metavar="tcp://HOST:PORT",
    help="Address at which the run can be watched from other machines; see virnucpro-bus relay --help.",
)  # fmt: skip
"""Checked by `check_listen` before anything starts."""


def check_listen(address: str | None) -> None:
    """Check what `listen_option` says, and that there are keys where it needs them. Raises UserError."""
    if address is not None:
        from virnucpro_bus.remote.listen_address import access_for, parse_listen

        access_for(parse_listen(address))


_http_option = click.option(
    "--http", metavar="[HOST:]PORT",
    help="Serve a live page and metrics over HTTP, read only, on this port of 127.0.0.1 or of HOST (0: any free "
    "port), or with unix:PATH on a local socket (default: nowhere).",
)  # fmt: skip
_http_token_file_option = click.option(
    "--http-token-file", type=PathArgument(dir_okay=False, path_type=Path), metavar="FILE",
    help="Let only those use --http who know the token in FILE, which other users must not be able to read; "
    "needed where other machines can reach the address (default: a new token, which is printed).",
)  # fmt: skip


def http_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of the live page, `http` and `http_token_file`, which `http_listen` reads."""
    return _http_option(_http_token_file_option(command))


def http_listen(http: str | None, token_file: Path | None) -> HttpListen | None:
    """Return what the options of `http_options` say; None: serve nothing. Raises UsageError and UserError."""
    if http is None:
        if token_file is not None:
            raise click.UsageError("--http-token-file needs --http [HOST:]PORT")
        return None
    from virnucpro_bus.remote.http_address import parse_http

    try:
        return parse_http(http, token_file)
    except UserError as error:
        raise UserError(f"--http: {error}") from None


def _parse_kinds(context: click.Context, parameter: click.Parameter, value: str | None) -> frozenset[str] | None:
    """Return the kinds as they are on the wire, and warn of unknown ones. Raises BadParameter."""
    if value is None:
        return None
    from virnucpro_bus.events.kinds import KINDS

    kinds = frozenset(f"{name.strip().removesuffix('/')}/" for name in value.split(","))
    if "/" in kinds:
        raise click.BadParameter("expected kinds separated by commas, for example file.completed,work.stolen")
    for kind in sorted(kinds - KINDS.keys()):
        # It may be a kind of a newer version, but more often it is a typing error.
        say(f"{kind[:-1]}: is not a kind that this version knows; check its spelling")
    return kinds


def _complete_kinds(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from virnucpro_bus.events.kinds import KINDS

    return _complete_last(incomplete, sorted(kind.removesuffix("/") for kind in KINDS))


kinds_option = click.option(
    "--kinds", callback=_parse_kinds, metavar="K,...", shell_complete=_complete_kinds,
    help="Use only events of these kinds, for example file.completed,work.stolen (default: all kinds).",
)  # fmt: skip
"""The kinds as they are on the wire; None for all."""
