"""The subcommand `ls`, which lists runs."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from pathlib import Path

import click

from monitor.runs.listing import registered_runs, runs_in
from monitor.runs.questions import with_figures
from monitor.runs.table import table_of
from virnucpro_bus.cli.options import PathArgument
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.system.console import say


@click.command
@click.argument("folders", nargs=-1, type=PathArgument(path_type=Path), metavar="[FOLDER]...")
@click.option("-a", "--all", "of_all_hosts", is_flag=True,
              help="List also the runs of other machines that share your home folder.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def ls(folders: Sequence[Path], of_all_hosts: bool, as_json: bool) -> None:
    """List the runs that you have started on this machine, the latest first; or those in each FOLDER.

    A run in FOLDER itself or directly below it is listed, whoever has started it; without FOLDER, your last 200
    runs whose folders still exist. Live runs are asked for their figures, for a second at most; those of a past
    run are read from its summary. What is not known is n/a. To continue a run that was interrupted or broken off,
    give its command again with --resume.

    \b
    Examples:
      virnucpro-bus ls
      virnucpro-bus ls results/ --json
    """
    if folders and of_all_hosts:
        raise click.UsageError("--all lists the runs that you have started: leave out FOLDER")
    clock = SystemClock()
    found = runs_in(folders) if folders else registered_runs(of_all_hosts=of_all_hosts)
    rows = with_figures(found, clock)
    if as_json:
        click.echo(json.dumps({"runs": rows}, indent=2))
        return
    for line in table_of(rows, clock.wall_ns(), socket.gethostname()):
        click.echo(line)
    if not rows:
        say("there are no runs" + ("" if folders else "; one starts with: virnucpro-bus run INPUT... --out DIR"))
