"""Options of `run` that take more than a line. What checks or completes them is imported when they are given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from virnucpro_bus.cli.options import PathArgument
from virnucpro_bus.errors import UserError

if TYPE_CHECKING:
    from workers.desk.halt import Halt
    from workers.schedule.shard import ShardName

Command = TypeVar("Command", bound=Callable[..., Any])
Value = TypeVar("Value")
LOCAL, DASK = "local", "dask"
"""What runs the workers, as `--engine` has it."""


def complete_jobs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the names of jobs that begin with `incomplete`."""
    from virnucpro_bus.text import visible
    from workers.jobs.named_jobs import JOBS

    return [CompletionItem(visible(name)) for name in JOBS.installed() if name.startswith(incomplete)]


def engine_options(command: Command) -> Command:
    """Add the options that choose what runs the workers."""
    for option in reversed(
        [
            click.option("--engine", default=LOCAL, show_default=True, type=click.Choice([LOCAL, DASK]),
                         help="What runs the workers: processes of this machine (local), or a Dask cluster "
                         "(dask). The next three options name one; without them, one is started here for the run, "
                         "with a worker for each device."),
            click.option("--scheduler", metavar="ADDRESS",
                         help="With --engine dask: the address of the cluster's scheduler, such as "
                         "tcp://node1:8786."),
            click.option("--scheduler-file", type=PathArgument(path_type=Path), metavar="FILE",
                         help="With --engine dask: the file that dask scheduler --scheduler-file has written."),
            click.option("--cluster", metavar="MODULE:ATTR",
                         help="With --engine dask: a Dask cluster object, or your function that returns one, such "
                         "as a SLURMCluster; what it returns is closed with the run."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def _parse_halt(context: click.Context, parameter: click.Parameter, value: str | None) -> Halt | None:
    """Return what the user demands. Raises BadParameter."""
    if value is None:
        return None
    from workers.desk.halt import parse_halt

    return _parsed(parse_halt, value)


def _parsed(parse: Callable[[str], Value], value: str) -> Value:
    """Return what `parse` makes of an option's value. Raises BadParameter for its UserError."""
    try:
        return parse(value)
    except UserError as error:
        raise click.BadParameter(str(error)) from None


def halt_options(command: Command) -> Command:
    """Add the options that end a run early for what has become of its files."""
    for option in reversed(
        [
            click.option("--halt", callback=_parse_halt, metavar="WHEN,WHY=VALUE",
                         help="End the run early once so many files, N or P%, have failed (WHY: fail), are "
                         "completed (success), or either (done). WHEN: soon finishes the files in progress, now "
                         "stops them. never: try all files, even where the first ones all fail alike.  "
                         "[default: end only there]"),
            click.option("--max-failures", type=click.IntRange(1, 10**9), metavar="N",
                         help="End the run early once N files have failed: --halt soon,fail=N."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def input_options(command: Command) -> Command:
    """Add the options that say which files are taken, and that only show it."""
    for option in reversed(
        [
            click.option("-r", "--recursive", is_flag=True,
                         help="Take the files of all subfolders too, but of hidden ones and of run folders; links "
                         "to folders are not followed."),
            click.option("--glob", "patterns", multiple=True, metavar="PATTERN",
                         help="Of a folder, take the files whose names match PATTERN, such as '*_R1.fq.gz', "
                         "not all its sequence files; may be repeated."),
            click.option("--files-from", type=PathArgument(path_type=Path), metavar="FILE",
                         help="Read further inputs from FILE, a path on each line; - is standard input."),
            click.option("-0", "--null", is_flag=True,
                         help="In such a list each path ends with a NUL instead of a line end, as find -print0 "
                         "writes it."),
            click.option("--dry-run", is_flag=True,
                         help="Show what would run, on which devices, and what is left out; run nothing."),
            click.option("--json", "as_json", is_flag=True, help="With --dry-run: print one JSON object."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def _parse_shard(context: click.Context, parameter: click.Parameter, value: str | None) -> ShardName | None:
    """Return the shard that the user means. Raises BadParameter."""
    if value is None:
        return None
    from workers.schedule.shard import parse_shard

    return _parsed(parse_shard, value)


shard_option = click.option(
    "--shard", callback=_parse_shard, metavar="I/N",
    help="Process only part I (0 to N - 1) of N equal parts of the inputs, by estimated work. Give the runs of "
    "all parts the same inputs, job and options, and each its own DIR; see docs/nodes.md.  [default: all inputs]",
)  # fmt: skip
