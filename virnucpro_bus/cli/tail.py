"""The `tail` subcommand: prints the events of a live bus or of a capture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.cli.options import TargetArgument, kinds_option
from virnucpro_bus.clock import Clock, SystemClock
from virnucpro_bus.errors import EndedError
from virnucpro_bus.events.codec import decode_all
from virnucpro_bus.events.dedup import Deduplicator
from virnucpro_bus.events.render import as_json, as_line, kind_of
from virnucpro_bus.fold.fleet import FRAMES_AT_ONCE, FleetState
from virnucpro_bus.run_folder import CAPTURE_NAME
from virnucpro_bus.sources.live import LiveSource, follow_live, join
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
    source = _open(target, clock := SystemClock())
    render = as_json if as_jsonl else as_line
    try:
        with SignalFlag(*ENDING_SIGNALS) as signals:
            for frames in _new_frames(source, clock, lambda: signals.signal):
                envelopes = decode_all(frames, Counter())
                if lines := [render(each) for each in envelopes if kinds is None or kind_of(each) in kinds]:
                    click.echo("\n".join(lines))
    finally:
        if not isinstance(source, CaptureReader):
            source.close()
    return 128 + signals.signal if signals.signal else 0


def _open(target: str, clock: Clock) -> LiveSource | CaptureReader:
    """Open `target`: a file, a live bus, or the capture in a folder whose run is over. Raises UserError."""
    path = Path(target)
    if "://" not in target and path.is_file():
        return CaptureReader(path)
    try:
        return join(target, clock)
    except EndedError:
        capture = path / CAPTURE_NAME
        if not capture.is_file():
            raise
        return CaptureReader(capture)


def _new_frames(
    source: LiveSource | CaptureReader, clock: Clock, stopped: Callable[[], object]
) -> Iterator[list[bytes]]:
    """Yield all frames of a capture, or each event of a live bus once, from now on."""
    if isinstance(source, CaptureReader):
        for records in source.batches():
            for first in range(0, len(records), FRAMES_AT_ONCE):
                if stopped():
                    return
                yield [each.frame for each in records[first : first + FRAMES_AT_ONCE]]
        return
    fleet, deduplicator = FleetState(clock), Deduplicator()
    while source.behind and not stopped():
        frames, received_ns = source.receive(0.0)
        fleet.feed(frames, received_ns)
        deduplicator.filter(frames)
    for frames in follow_live(source, fleet, clock, stopped):
        yield deduplicator.filter(frames)
