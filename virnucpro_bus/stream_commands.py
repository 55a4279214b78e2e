"""The subcommands that pass on a stream as it is: `tail` and `record`."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from virnucpro_bus.capture import CaptureReader
from virnucpro_bus.clock import Clock, SystemClock
from virnucpro_bus.codec import decode_all
from virnucpro_bus.compression import compress_capture
from virnucpro_bus.errors import AddressError
from virnucpro_bus.fleet import FRAMES_AT_ONCE, FleetState
from virnucpro_bus.listen import LiveSource, listen
from virnucpro_bus.options import Name, Target, kinds_option
from virnucpro_bus.recorder import Recorder
from virnucpro_bus.rundir import CAPTURE_NAME
from virnucpro_bus.sieve import Sieve
from virnucpro_bus.signals import SignalFlag
from virnucpro_bus.subscriber import join
from virnucpro_bus.tail import as_json, as_line, kind_of
from virnucpro_bus.text import visible


@click.command(short_help="Print events, one a line, as they come.")
@click.argument("target", default=".", type=Target(or_file=True), metavar="[RUN_DIR|ADDRESS|CAPTURE]")
@click.option("--jsonl", "as_jsonl", is_flag=True, help="Print one JSON object a line, with everything in it.")
@kinds_option
def tail(target: str, as_jsonl: bool, kinds: frozenset[str] | None) -> int:
    """Print the events of a live bus from now on, or those of a capture from its beginning.

    A run folder is listened to while its run goes on; afterwards its capture is printed. Ends with the run or the
    capture, and on Ctrl-C.

    \b
    Examples:
      virnucpro-bus tail first-run --kinds file.completed,work.stolen
      virnucpro-bus tail first-run/run.vbus --jsonl > events.jsonl
    """
    source = _open(target, clock := SystemClock())
    written = as_json if as_jsonl else as_line
    try:
        with SignalFlag(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            for frames in _news(source, clock, lambda: signals.signal):
                envelopes = decode_all(frames, Counter())
                if lines := [written(each) for each in envelopes if kinds is None or kind_of(each) in kinds]:
                    click.echo("\n".join(lines))
    finally:
        if not isinstance(source, CaptureReader):
            source.close()
    return 128 + signals.signal if signals.signal else 0


@click.command(short_help="Record a bus into a capture of your own.")
@click.argument("target", type=Target(), metavar="ADDRESS|RUN_DIR")
@click.option(
    "-o", "--output", type=Name(dir_okay=False, path_type=Path), metavar="FILE", required=True,
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
                for frames in listen(source, FleetState(clock), clock, lambda: signals.signal):
                    recorder.take(frames)
                    if notice := recorder.notice():
                        click.echo(f"virnucpro-bus: {visible(notice)}", err=True)
            finally:
                lost = f"{recorder.lost} more are" if recorder.lost else "none is"
                click.echo(
                    f"{recorder.recorded} events recorded in {visible(str(output))}; {lost} known to be missing"
                )
    finally:
        source.close()
    compress_capture(output)
    return 128 + signals.signal if signals.signal else 0


def _open(target: str, clock: Clock) -> LiveSource | CaptureReader:
    """Whatever `target` is: a file, a live bus, or the folder of a run that is over. Raises UserError."""
    path = Path(target)
    if "://" not in target and path.is_file():
        return CaptureReader(path)
    try:
        return join(target, clock)
    except AddressError:
        capture = path / CAPTURE_NAME
        if "://" in target or not capture.is_file():
            raise
        return CaptureReader(capture)


def _news(
    source: LiveSource | CaptureReader, clock: Clock, stopped: Callable[[], object]
) -> Iterator[list[bytes]]:
    """All frames of a capture; each event of a live bus once, from now on."""
    if isinstance(source, CaptureReader):
        for records in source.batches():
            for first in range(0, len(records), FRAMES_AT_ONCE):
                if stopped():
                    return
                yield [each.frame for each in records[first : first + FRAMES_AT_ONCE]]
        return
    fleet, sieve = FleetState(clock), Sieve()
    while source.behind and not stopped():
        frames, received_ns = source.receive(0.0)
        fleet.feed(frames, received_ns)
        sieve.take(frames)
    for frames in listen(source, fleet, clock, stopped):
        yield sieve.take(frames)
