"""The fold that the hub of a launched run keeps for viewers, with what else the summary of the run needs.

So nothing is read a second time when the run is over: of a million files that would take seconds, and as much
memory as the fold itself.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from virnucpro_bus.capture.growth import Growth
from virnucpro_bus.capture.info import EventTally
from virnucpro_bus.clock import Clock, ManualClock
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import GpuSampled
from virnucpro_bus.files.plain_files import stamp_of
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.history.server import IncrementalFold
from virnucpro_bus.timeline.observers import observed_by
from virnucpro_bus.timeline.sample_recorder import SampleRecorder

if TYPE_CHECKING:
    from virnucpro_bus.timeline.ended_run import EndedRun

SAMPLES_KEPT = 20_000
"""When so many samples have come, those are dropped that no file needs: a run may last for months."""


class RunFold(IncrementalFold):
    """Folds the capture of a run, and keeps what its end is told from. Not thread-safe."""

    def __init__(self, read: Callable[[int, int], bytes], clock: Clock, samples_kept: int = SAMPLES_KEPT) -> None:
        """`read` and `clock`: see IncrementalFold."""
        self._tally = EventTally()
        self._samples = SampleRecorder()
        self._samples_kept = samples_kept
        self._samples_until_drop = samples_kept
        handlers = observed_by({GpuSampled: self._add_sample})
        super().__init__(read, clock, FleetState(clock, handlers=handlers, observe=self._tally.add))

    def take_ended_run(self, path: Path) -> EndedRun | None:
        """Return what is known of the run, if it is over and the capture at `path` holds no more than was folded.

        To be called once, and after it nothing may be folded.
        """
        # Only now: the first file would wait for it otherwise.
        from virnucpro_bus.timeline.ended_run import EndedRun, last_files

        stamp = stamp_of(path)
        is_whole = stamp is not None and stamp[1] == self.offset
        if not is_whole or self.span_ns is None or not self._fleet.finished:
            return None
        ended_ns = self.span_ns[1]
        fleet = FleetState(ManualClock(ended_ns, ended_ns))
        fleet.load(self._fleet.fold())
        refused = fleet.refused.total()
        return EndedRun(
            fleet,
            files=last_files(fleet, self._samples.columns()),
            info=self._tally.info(path, Growth(path), self._scanner, refused, self.span_ns),
            ended_ns=ended_ns,
            stamp=stamp,
        )

    def _add_sample(self, envelope: Envelope) -> None:
        self._samples.add(envelope)
        self._samples_until_drop -= 1
        if not self._samples_until_drop:
            needed_since = {host.host: host.files_since_ns() for host in self._fleet.hosts()}
            # Of files that take days many are kept: as many again may come before they are sifted once more.
            self._samples_until_drop = max(self._samples_kept, self._samples.drop_before(needed_since))
