"""The `record` subcommand: records a live bus into a new capture."""

from __future__ import annotations

from pathlib import Path

import click

from virnucpro_bus.cli.main import EXIT_REFUSED
from virnucpro_bus.cli.options import PathArgument, TargetArgument
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.system.console import say
from virnucpro_bus.system.signals import ENDING_SIGNALS, SignalFlag
from virnucpro_bus.text import visible


@click.command
@click.argument("target", type=TargetArgument(), metavar="ADDRESS|RUN_DIR")
@click.option(
    "-o", "--output", type=PathArgument(dir_okay=False, path_type=Path), metavar="FILE", required=True,
    help="The capture to create; it must not exist yet.",
)  # fmt: skip
def record(target: str, output: Path) -> int:
    """Record every event of a live bus into FILE: those so far and those to come, each once.

    Ends with the run, or on Ctrl-C; FILE is then a complete capture of what was received.

    \b
    Example:
      virnucpro-bus record first-run -o copy.vbus
    """
    from virnucpro_bus.capture.compression import compress_capture
    from virnucpro_bus.capture.recorder import Recorder
    from virnucpro_bus.fold.fleet import FleetState
    from virnucpro_bus.sources.live import follow_live, join

    clock = SystemClock()
    source = join(target, clock)
    try:
        # Signals first: as soon as the file exists, an interruption must leave it complete and report it.
        with (
            SignalFlag(*ENDING_SIGNALS) as signals,
            Recorder(output, clock) as recorder,
        ):

            def is_over() -> object:
                return signals.signal or recorder.is_broken

            try:
                for frames in follow_live(source, FleetState(clock), clock, is_over):
                    recorder.record(frames)
                    if notice := recorder.notice():
                        say(notice)
            finally:
                missing = f"{recorder.lost} are" if recorder.lost else "no event is"
                click.echo(
                    f"{recorder.recorded} events recorded in {visible(str(output))}; {missing} known to be missing"
                )
    finally:
        source.close()
    if recorder.is_broken:
        return EXIT_REFUSED
    compress_capture(output)
    return 128 + signals.signal if signals.signal else 0
