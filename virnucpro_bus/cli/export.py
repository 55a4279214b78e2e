"""The `export` subcommand: writes recorded runs in the format that is chosen."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from virnucpro_bus.cli.load_capture import shard_of, warn_of_shards
from virnucpro_bus.cli.options import PathArgument, runs_argument
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.exporters import FORMATS, Document, Exporter, RowOptions
from virnucpro_bus.files.gzipped import gzipped
from virnucpro_bus.files.new_files import check_target, write_file, write_folder
from virnucpro_bus.plugins import package_of
from virnucpro_bus.run_folder import capture_path, names_of
from virnucpro_bus.spelling import did_you_mean
from virnucpro_bus.system.console import say
from virnucpro_bus.text import visible

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from virnucpro_bus.sources.recording import Recording


class _ExportCommand(click.Command):
    """A command whose help lists the installed formats."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the formats."""
        super().format_options(context, formatter)
        with formatter.section("Formats"):
            formatter.write_dl(list(_descriptions()))


def _descriptions() -> Iterator[tuple[str, str]]:
    for name, point in FORMATS.installed().items():
        package = package_of(point)
        try:
            summary = FORMATS.load(point).summary
        except UserError as error:
            summary = str(error)
        origin = f" (of the package {package})" if package else ""
        yield visible(name), visible(summary + origin)


def _find_format(context: click.Context, parameter: click.Parameter, name: str) -> EntryPoint:
    """Return the entry point of a format, for an option. Raises BadParameter if it is not installed."""
    formats = FORMATS.installed()
    if name not in formats:
        meant = did_you_mean(name, formats)
        raise click.BadParameter(f"{name!r} is not installed{meant}; known are {', '.join(formats)}")
    return formats[name]


def _complete_formats(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the formats that begin with `incomplete`."""
    return [CompletionItem(visible(name)) for name in FORMATS.installed() if name.startswith(incomplete)]


def _complete_columns(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from virnucpro_bus.tables.rows import COLUMNS

    return [CompletionItem(column) for column in COLUMNS if column.startswith(incomplete)]


@click.command(cls=_ExportCommand)
@runs_argument
@click.option("--format", "form", default="csv", show_default=True, metavar="NAME",
              callback=_find_format, shell_complete=_complete_formats,
              help="The format; --help lists those that are installed.")  # fmt: skip
@click.option("-o", "--output", type=PathArgument(path_type=Path), metavar="FILE|DIR",
              help="Write to FILE, which must not exist yet (default: standard output), compressed if its name "
              "ends in .gz; or the files of a format that has several to the folder DIR.")  # fmt: skip
@click.option("-f", "--force", is_flag=True, help="Replace what -o names where it exists.")
@click.option("--attempts", is_flag=True,
              help="In tables, add the attempts that failed, were lost, broken off or are running.")  # fmt: skip
@click.option("--sort", default=RowOptions.sort, show_default=True, metavar="COLUMN",
              shell_complete=_complete_columns,
              help="Sort the rows of a table by COLUMN, or by -COLUMN: descending. Unknown is last.")  # fmt: skip
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Write only the first N rows of a table.")
def export(
    runs: Sequence[Path],
    form: EntryPoint,
    output: Path | None,
    force: bool,
    attempts: bool,
    sort: str,
    top: int | None,
) -> None:
    """Write the runs in RUN... (run.vbus files or run folders) in one format, by default as a table of files.

    A row of a table contains when and where a file was processed, how long it took, from which device it was
    stolen, and the GPU's mean utilization, peak memory and energy meanwhile. Unknown values are empty cells in csv
    and null in jsonl. Times are UTC. docs/export.md explains the formats and columns.

    \b
    Examples:
      virnucpro-bus export first-run -o files.csv
      virnucpro-bus export first-run --sort -duration_seconds --top 20
      virnucpro-bus export first-run second-run/run.vbus --attempts --format jsonl
    """
    exporter, options = FORMATS.load(form), RowOptions(sort, top, attempts)
    _check(form.name, exporter, options, output, force)
    recordings = [_read(capture_path(run)) for run in runs]
    shards = [shard_of(recording.fleet.runs()) for recording in recordings]
    warn_of_shards(dict(zip(names_of(runs), shards, strict=True)))
    documents = exporter.export(recordings, options)
    if output is not None and exporter.makes_folder:
        write_folder(output, _named(form.name, documents), replace=force)
        return
    content = _only_one(form.name, documents).content
    if output is not None:
        write_file(output, gzipped(content) if output.suffix == ".gz" else content, replace=force)
        return
    for piece in content:
        click.echo(piece, nl=False)  # in the encoding of the format, whatever the terminal's is


def _check(name: str, exporter: Exporter, options: RowOptions, output: Path | None, force: bool) -> None:
    """Raise UserError for options that do not fit the format, before the captures are read."""
    if exporter.is_table:
        from virnucpro_bus.tables.rows import sorted_column

        sorted_column(options.sort)
    elif options != RowOptions():
        raise UserError(f"--format {name}: is not a table; --sort, --top and --attempts are for tables")
    if exporter.makes_folder:
        if output is None:
            raise UserError(f"--format {name}: writes several files; name a folder for them: -o DIR")
        if output.exists() and not output.is_dir():
            raise UserError(f"{visible(str(output))}: is not a folder; choose another name")
    elif output is not None:
        check_target(output, replace=force)
    elif exporter.is_binary and sys.stdout.isatty():
        raise UserError(f"--format {name}: is binary, and no terminal can show it; name a file: -o FILE")


def _read(path: Path) -> Recording:
    from virnucpro_bus.sources.recording import read_recording

    recording = read_recording(path, SystemClock())
    if recording.is_empty:
        say(f"{path}: contains no events")
    for warning in recording.warnings:
        say(f"{path}: {warning}")
    return recording


def _only_one(name: str, documents: Iterable[Document]) -> Document:
    found = list(documents)
    if len(found) != 1:
        raise UserError(f"--format {name}: made {len(found)} documents instead of one; report this to its authors")
    return found[0]


def _named(name: str, documents: Iterable[Document]) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Yield the documents by name. Raises UserError for a name that could lead out of the folder, or is hidden."""
    for document in documents:
        file = document.name
        if not file or "/" in file or file.startswith(".") or visible(file) != file:
            raise UserError(
                f"--format {name}: {visible(file)!r} is not a plain file name; report this to its authors"
            )
        yield file, document.content
