"""The `tail` subcommand: prints the events of a live bus or of a capture."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

import click

from virnucpro_bus.cli.options import TargetArgument, kinds_option
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.system.signals import ENDING_SIGNALS, SignalFlag


@click.command
@click.argument("target", default=".", type=TargetArgument(or_file=True), metavar="[RUN_DIR|ADDRESS|CAPTURE]")
@click.option(
    "--jsonl",
    "as_jsonl",
    is_flag=True,
    help="Print each event as a JSON object with all its fields, one per line.",
)
@kinds_option
def tail(target: str, as_jsonl: bool, kinds: frozenset[str] | None) -> int:
    """Print the events of a live bus from now on, or those of a capture from its beginning.

    Of a run folder (default: the current folder) it prints the live bus while the run is in progress, and the
    capture afterwards. Ends with the run or the capture, or on Ctrl-C.

    \b
    Examples:
      virnucpro-bus tail first-run --kinds file.completed,work.stolen
      virnucpro-bus tail first-run/run.vbus --jsonl > events.jsonl
    """
    from virnucpro_bus.events.codec import decode_all
    from virnucpro_bus.events.render import as_json, as_line, kind_of
    from virnucpro_bus.sources.target import new_frames, open_target

    source = open_target(target, clock := SystemClock())
    render = as_json if as_jsonl else as_line
    with SignalFlag(*ENDING_SIGNALS) as signals, closing(new_frames(source, clock, lambda: signals.signal)) as new:
        for frames in new:
            envelopes = decode_all(frames, Counter())
            if lines := [render(each) for each in envelopes if kinds is None or kind_of(each) in kinds]:
                click.echo("\n".join(lines))
    return 128 + signals.signal if signals.signal else 0
