"""The `record` subcommand: a live bus into a capture of one's own."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from virnucpro_bus.capture.compression import compress_capture
from virnucpro_bus.capture.recorder import Recorder
from virnucpro_bus.cli.options import PathArgument, TargetArgument
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.sources.live import follow_live, join
from virnucpro_bus.system.console import say
from virnucpro_bus.system.signals import SignalFlag
from virnucpro_bus.text import visible


@click.command(short_help="Record a bus into a capture of your own.")
@click.argument("target", type=TargetArgument(), metavar="ADDRESS|RUN_DIR")
@click.option(
    "-o", "--output", type=PathArgument(dir_okay=False, path_type=Path), metavar="FILE", required=True,
    help="The capture to make; it must not be there yet.",
)  # fmt: skip
def record(target: str, output: Path) -> int:
    """Record everything that was and is said on a live bus into FILE, each event once.

    Ends with the run, and on Ctrl-C; what has been recorded by then is whole.

    \b
    Example:
      virnucpro-bus record first-run -o copy.vbus
    """
    clock = SystemClock()
    source = join(target, clock)
    try:
        # The signals first: from the moment there is a file, an interruption leaves it whole and says so.
        with (
            SignalFlag(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals,
            Recorder(output, clock) as recorder,
        ):
            try:
                for frames in follow_live(source, FleetState(clock), clock, lambda: signals.signal):
                    recorder.record(frames)
                    if notice := recorder.notice():
                        say(notice)
            finally:
                lost = f"{recorder.lost} more are" if recorder.lost else "none is"
                click.echo(
                    f"{recorder.recorded} events recorded in {visible(str(output))}; {lost} known to be missing"
                )
    finally:
        source.close()
    compress_capture(output)
    return 128 + signals.signal if signals.signal else 0
