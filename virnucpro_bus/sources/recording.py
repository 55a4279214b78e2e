"""A recorded run, read once: its fold, and its course over time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from virnucpro_bus.clock import Clock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.host_fold import HANDLERS
from virnucpro_bus.sources.playback import Playback
from virnucpro_bus.sources.replay import Replay
from virnucpro_bus.system.memory import all_stays_in_use
from virnucpro_bus.timeline.observers import observed_by, without_gpu_figures
from virnucpro_bus.timeline.recorder import TimelineRecorder
from virnucpro_bus.timeline.timeline import Timeline

MAX_NAMED_SOURCES = 4
"""How many sources a warning names before "and N more"."""


@dataclass(frozen=True)
class Recording:
    """A recorded run. Safe to read from any thread."""

    path: Path
    """Of the capture."""
    fleet: FleetState
    """The state at its end."""
    timeline: Timeline
    warnings: tuple[str, ...]
    """What is missing in it, one line each, without the path."""
    is_whole: bool = True
    """Whether it was read to its end; otherwise it was stopped before."""

    @property
    def is_empty(self) -> bool:
        """Whether it contains no event."""
        return not self.fleet.get_totals()["events_received"]


def read_recording(
    path: Path, clock: Clock, stopped: Callable[[], object] = lambda: False, *, gpus_in_fleet: bool = True
) -> Recording:
    """Read the capture at `path`, or until `stopped()`, which is called often. Raises CaptureError.

    Without `gpus_in_fleet` the fleet does not know what GPUs do, only the timeline does, and it takes less time.
    """
    recorder = TimelineRecorder()
    handlers = observed_by(recorder.observers(), HANDLERS if gpus_in_fleet else without_gpu_figures())
    with all_stays_in_use():
        playback = Playback(Replay(path, clock, rate=None), handlers=handlers)
        playback.run(stopped)
        timeline = recorder.finish(playback.fleet.hosts())
    warnings = tuple(warnings_of(playback, timeline.unrecorded_frames))
    return Recording(path, playback.fleet, timeline, warnings, is_whole=playback.replay.ended)


def play_whole(path: Path, clock: Clock, stopped: Callable[[], object] = lambda: False) -> Playback:
    """Fold the capture at `path`, or until `stopped()`, which is called often. Raises CaptureError."""
    playback = Playback(Replay(path, clock, rate=None))
    with all_stays_in_use():
        playback.run(stopped)
    return playback


def warnings_of(playback: Playback, unrecorded_frames: int = 0) -> Iterator[str]:
    """What is missing in a capture that was folded to its end, one line each.

    `unrecorded_frames` is how many frames it reports as missing; of some of them the sources are not known.
    """
    scanner, fleet = playback.replay.reader.scanner, playback.fleet
    if bytes_lost := scanner.skipped_bytes + scanner.incomplete_bytes:
        yield f"{bytes_lost} bytes are damaged or cut off; the figures lack their events"
    lossy = fleet.lossy_sources()
    lost = sum(source["lost"] for source in lossy)
    if unrecorded_frames > lost:
        yield f"{unrecorded_frames} events were not recorded; the figures lack them"
    elif lossy:
        names = [
            f"{source['source']} of {source['host']}: {source['lost']}" for source in lossy[:MAX_NAMED_SOURCES]
        ]
        more = [f"and {len(lossy) - MAX_NAMED_SOURCES} more"] if len(lossy) > MAX_NAMED_SOURCES else []
        yield f"{lost} events are not recorded ({', '.join(names + more)}); the figures lack them"
    if (note := playback.ending_note) is not None:
        yield note
    yield from fleet.stream_warnings()
