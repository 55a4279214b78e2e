"""The events of what a user names: those of a live bus from now on, or those of a capture from its beginning."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.clock import Clock
from virnucpro_bus.errors import EndedError
from virnucpro_bus.events.dedup import Deduplicator
from virnucpro_bus.fold.fleet import FRAMES_AT_ONCE, FleetState
from virnucpro_bus.run_folder import CAPTURE_NAME
from virnucpro_bus.sources.live import LiveSource, follow_live, join


def open_target(target: str, clock: Clock) -> LiveSource | CaptureReader:
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


def new_frames(
    source: LiveSource | CaptureReader, clock: Clock, stopped: Callable[[], object]
) -> Generator[list[bytes], None, None]:
    """Yield all frames of a capture, or each event of a live bus once, from now on.

    It ends with the run or the capture, or when `stopped()`, which is called often, is true; a live bus is closed.
    """
    if isinstance(source, CaptureReader):
        for records in source.batches():
            for first in range(0, len(records), FRAMES_AT_ONCE):
                if stopped():
                    return
                yield [each.frame for each in records[first : first + FRAMES_AT_ONCE]]
        return
    fleet, deduplicator = FleetState(clock), Deduplicator()
    try:
        while source.behind and not stopped():
            frames, received_ns = source.receive(0.0)
            fleet.feed(frames, received_ns)
            deduplicator.filter(frames)
        for frames in follow_live(source, fleet, clock, stopped):
            yield deduplicator.filter(frames)
    finally:
        source.close()
