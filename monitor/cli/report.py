"""The subcommand `report`, which writes recorded runs as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from virnucpro_bus.cli.load_capture import shard_of, warn_of_shards
from virnucpro_bus.cli.options import PathArgument, runs_argument
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.files.new_files import check_target, write_file
from virnucpro_bus.run_folder import names_of
from virnucpro_bus.system.console import say
from virnucpro_bus.text import visible

STANDARD_OUTPUT = Path("-")


@click.command
@runs_argument
@click.option("-o", "--output", type=PathArgument(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write to FILE; - is the standard output (default: NAME-report.html in the current folder for "
              "the run NAME, report.html for several).")  # fmt: skip
@click.option("-f", "--force", is_flag=True, help="Replace FILE if it exists.")
def report(runs: Sequence[Path], output: Path | None, force: bool) -> None:
    """Write what happened in each RUN (a run folder or a run.vbus file) as one HTML page, several side by side.

    The page shows which device worked on what, whether stealing helped, what the GPUs did, what failed and why,
    and what was slow. It is complete in itself: it loads nothing, has no script, and can be mailed and printed. A
    run that is still going on is shown up to now.

    \b
    Examples:
      virnucpro-bus report first-run
      virnucpro-bus report first-run second-run -o both.html -f
    """
    from importlib.metadata import version

    from monitor.cli.read_runs import read_run
    from monitor.report.page import make_page

    path = _default_path(runs) if output is None else output
    if path != STANDARD_OUTPUT:
        check_target(path, replace=force)
    clock = SystemClock()
    read = [read_run(place, name, clock) for place, name in zip(runs, names_of(runs), strict=True)]
    for run in read:
        for warning in run.recording.warnings:
            say(f"{run.recording.path}: {warning}")
    warn_of_shards({run.name: shard_of(run.announced) for run in read})
    page = make_page(read, version("virnucpro-bus")).encode()
    if path == STANDARD_OUTPUT:
        click.echo(page, nl=False)
        return
    write_file(path, [page], replace=force)
    click.echo(visible(str(path)))


def _default_path(runs: Sequence[Path]) -> Path:
    """Where the page goes unless the user says otherwise: named after the run, in the current folder."""
    if len(runs) > 1:
        return Path("report.html")
    (name,) = names_of(runs)
    return Path(f"{Path(name).name.removesuffix('.vbus') or 'run'}-report.html")
