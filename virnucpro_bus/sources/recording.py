"""A recorded run, read once: its fold, and if needed its course over time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from virnucpro_bus.capture.growth import Growth
from virnucpro_bus.capture.info import CaptureInfo, EventTally
from virnucpro_bus.clock import Clock
from virnucpro_bus.files.plain_files import stamp_of
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.host_fold import HANDLERS
from virnucpro_bus.sources.kept_fold import read_kept_fold
from virnucpro_bus.sources.playback import Playback
from virnucpro_bus.sources.replay import Replay
from virnucpro_bus.system.memory import all_stays_in_use
from virnucpro_bus.timeline.attempt_figures import exact_files
from virnucpro_bus.timeline.ended_run import EndedRun
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
    info: CaptureInfo | None = None
    """What the capture contains; None: not asked for."""
    ended_ns: int = 0
    """When the last record was received; 0: there are none."""
    stamp: tuple[int, int, int] | None = None
    """See `stamp_of`: of the capture before it was read."""

    def ended_run(self) -> EndedRun | None:
        """What the summary of the run needs; None: it was not read whole, or not `with_info`."""
        if not self.is_whole or self.info is None:
            return None
        files = exact_files(self.timeline, self.fleet.files())
        return EndedRun(self.fleet, files, self.info, self.ended_ns, self.stamp)

    @property
    def is_empty(self) -> bool:
        """Whether it contains no event."""
        return not self.fleet.get_totals()["events_received"]


def read_recording(
    path: Path,
    clock: Clock,
    stopped: Callable[[], object] = lambda: False,
    *,
    gpus_in_fleet: bool = True,
    with_info: bool = False,
) -> Recording:
    """Read the capture at `path`, or until `stopped()`, which is called often. Raises CaptureError.

    Without `gpus_in_fleet` the fleet does not know what GPUs do, only the timeline does, and it takes less time.
    """
    stamp, growth, tally, recorder = stamp_of(path), Growth(path), EventTally(), TimelineRecorder()
    handlers = observed_by(recorder.observers(), HANDLERS if gpus_in_fleet else without_gpu_figures())
    with all_stays_in_use():
        replay = Replay(path, clock, rate=None)
        playback = Playback(replay, handlers=handlers, observe=tally.add if with_info else None)
        playback.run(stopped)
        timeline = recorder.finish(playback.fleet.hosts())
    info = None
    if with_info:
        span_ns = (replay.start_ns, replay.wall_ns()) if replay.start_ns else None
        info = tally.info(path, growth, replay.reader.scanner, playback.fleet.refused.total(), span_ns)
    return Recording(
        path,
        playback.fleet,
        timeline,
        warnings=tuple(warnings_of(playback, timeline.unrecorded_frames)),
        is_whole=replay.ended,
        info=info,
        ended_ns=replay.wall_ns(),
        stamp=stamp,
    )


@dataclass(frozen=True)
class FoldedCapture:
    """The state at the end of a capture, without the course of its run. Nothing may be fed to the fleet."""

    fleet: FleetState
    warnings: tuple[str, ...]
    """What is missing in it, one line each, without the path."""
    ending_note: str | None
    """See Playback; it is one of the warnings, too."""


def load_fold(
    path: Path, clock: Clock, *, interval_seconds: float = 2.0, may_grow: bool | None = None
) -> FoldedCapture:
    """Return the fold of the whole capture at `path`: the one that was kept of it, or else fold it.

    `interval_seconds`: see FleetState. `may_grow`: see Replay. Raises CaptureError.
    """
    if (fleet := read_kept_fold(path, interval_seconds)) is not None:
        return FoldedCapture(fleet, tuple(_fleet_warnings(fleet)), ending_note=None)
    playback = Playback(Replay(path, clock, rate=None, may_grow=may_grow), interval_seconds=interval_seconds)
    with all_stays_in_use():
        playback.run(lambda: False)
    return FoldedCapture(playback.fleet, tuple(warnings_of(playback)), playback.ending_note)


def warnings_of(playback: Playback, unrecorded_frames: int = 0) -> Iterator[str]:
    """What is missing in a capture that was folded to its end, one line each.

    `unrecorded_frames` is how many frames it reports as missing; of some of them the sources are not known.
    """
    scanner = playback.replay.reader.scanner
    if bytes_lost := scanner.skipped_bytes + scanner.incomplete_bytes:
        yield f"{bytes_lost} bytes are damaged or cut off; the figures lack their events"
    yield from _fleet_warnings(playback.fleet, unrecorded_frames, playback.ending_note)


def _fleet_warnings(
    fleet: FleetState, unrecorded_frames: int = 0, ending_note: str | None = None
) -> Iterator[str]:
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
    if ending_note is not None:
        yield ending_note
    yield from fleet.stream_warnings()
