"""The subcommand `logs`, which shows what the jobs and the workers of a run have printed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from time import sleep

import click

from virnucpro_bus.cli.options import PathArgument
from virnucpro_bus.errors import EndedError, UserError
from virnucpro_bus.logs.find import Log, find_logs, logs_of
from virnucpro_bus.logs.follow import Follower
from virnucpro_bus.logs.lines import shown_line
from virnucpro_bus.logs.names import worker_log_name
from virnucpro_bus.run_folder import LOG_FOLDER, read_addresses
from virnucpro_bus.spelling import did_you_mean
from virnucpro_bus.system.console import say
from virnucpro_bus.system.signals import ENDING_SIGNALS, SignalFlag
from virnucpro_bus.text import visible

POLL_SECONDS = 0.25


@click.command
@click.argument("run_dir", type=PathArgument(exists=True, file_okay=False, path_type=Path), metavar="RUN")
@click.argument("file", required=False)
@click.option("--worker", type=click.IntRange(0), metavar="N",
              help="Show what worker N has printed itself, such as while it loaded the job.")  # fmt: skip
@click.option("-f", "--follow", is_flag=True,
              help="Go on with what is printed from now on, until the run ends.")  # fmt: skip
def logs(run_dir: Path, file: str | None, worker: int | None, follow: bool) -> int:
    """Show what all attempts at FILE have printed in RUN, a run folder; or list the logs that there are.

    FILE is a file as the dashboard names it. Each attempt that has printed something, to stdout or stderr, has a
    log of its own; of one that is longer than 1 MiB the middle is left out. With -f and without FILE, all logs are
    shown as they grow, with a line for what was left out before it could be shown.

    On a terminal, what could control it is written out, and a line that was printed over, such as a progress bar,
    is shown in its last state. To a pipe or a file the logs go as they are, byte for byte.

    \b
    Examples:
      virnucpro-bus logs first-run
      virnucpro-bus logs first-run sample_17.fa
      virnucpro-bus logs first-run -f
      virnucpro-bus logs first-run --worker 0 | less
    """
    if file is not None and worker is not None:
        raise click.UsageError("--worker shows a worker's own log: leave out FILE")
    find = _finder(run_dir, file, worker)
    if not follow:
        found = find()
        if file is None and worker is None:
            _list(run_dir, found)
            return 0
        if not found:
            raise UserError(_nothing(run_dir, file, worker))
    printer = _Printer(with_heads=follow or len(found) > 1, is_terminal=sys.stdout.isatty())
    with SignalFlag(*ENDING_SIGNALS) as signals, closing(Follower(find)) as follower:
        while True:
            is_last = not follow or signals.signal != 0 or not _is_live(run_dir)
            printer.print(follower.read())
            if is_last:
                break
            sleep(POLL_SECONDS)
    printer.end()
    return 128 + signals.signal if signals.signal else 0


def _finder(run_dir: Path, file: str | None, worker: int | None) -> Callable[[], Sequence[Log]]:
    if file is not None:
        return lambda: logs_of(run_dir, file)
    if worker is not None:
        own = worker_log_name(worker)
        return lambda: [log for log in find_logs(run_dir, lambda name: name is None) if log.path.name == own]
    return lambda: find_logs(run_dir)


def _list(run_dir: Path, found: Sequence[Log]) -> None:
    for log in found:
        click.echo(f"{log.size_bytes:>9} B  {visible(str(log.path))}")
    if not found:
        say(f"{run_dir}: has no logs: nothing was printed, or it is not a run folder")


def _nothing(run_dir: Path, file: str | None, worker: int | None) -> str:
    """Return why there is no log, in a line."""
    command = f"to list the logs: virnucpro-bus logs {visible(str(run_dir))}"
    if file is None:
        return f"worker {worker}: has printed nothing by itself, or is not of this run; {command}"
    meant = did_you_mean(file, {log.attempt.file for log in find_logs(run_dir) if log.attempt is not None})
    return f"{visible(file)}: has printed nothing, or is not a file of this run{meant}; {command}"


def _is_live(run_dir: Path) -> bool:
    try:
        read_addresses(run_dir)
    except EndedError:
        return False
    return True


class _Printer:
    """Prints pieces of logs, in lines that are safe for a terminal, or as they are."""

    def __init__(self, *, with_heads: bool, is_terminal: bool) -> None:
        """`with_heads`: a line before the pieces of each log says which it is, as `tail` has it."""
        self._with_heads = with_heads
        self._is_terminal = is_terminal
        self._current: Path | None = None
        self._rests: dict[Path, bytes] = {}
        """What each log has after its last whole line."""

    def print(self, pieces: Iterable[tuple[Log, bytes]]) -> None:
        """Print the pieces, on a terminal as far as they are whole lines."""
        for log, piece in pieces:
            if self._is_terminal:
                *lines, rest = (self._rests.pop(log.path, b"") + piece).split(b"\n")
                self._rests[log.path] = rest
                piece = _shown(lines)
            if piece:
                self._begin(log.path)
                sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()

    def end(self) -> None:
        """Print the lines that were not whole."""
        for path, rest in self._rests.items():
            if rest:
                self._begin(path)
                sys.stdout.buffer.write(_shown([rest]))
        sys.stdout.buffer.flush()

    def _begin(self, path: Path) -> None:
        if self._with_heads and path != self._current:
            blank = "" if self._current is None else "\n"
            self._current = path
            head = f"{blank}==> {visible(f'{LOG_FOLDER}/{path.name}')} <==\n"
            sys.stdout.buffer.write(head.encode())


def _shown(lines: Sequence[bytes]) -> bytes:
    return "".join(f"{shown_line(line.decode(errors='surrogateescape'))}\n" for line in lines).encode()
