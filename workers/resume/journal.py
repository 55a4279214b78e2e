"""What the capture tells of a run, for the launcher that goes on with it: the capture is the run's journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from virnucpro_bus import events as ev
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.codec import decode
from workers.commit.manifest import Manifest

WORKER_SOURCE = "worker-"
"""What the sources of a pool's workers begin with."""


class Ended(NamedTuple):
    """How a file was settled. `device` is "" where it was given up without an attempt that had failed."""

    device: str
    completed: bool
    sequences: int
    reason: str


class PastRun:
    """The sessions of a run so far, folded from its events in the order in which they were recorded."""

    def __init__(self) -> None:
        self.started: ev.RunStarted | None = None
        """What the last session began with; None where none had come so far."""
        self.run = ""
        self.identities: dict[str, str] = {}
        """Of the files that were planned, by id: which input they were."""
        self.ended: dict[str, Ended] = {}
        """How files were settled; those that wait are not in it."""
        self.committed: dict[str, ev.FileCommitted] = {}
        self.living: dict[tuple[str, int], ev.WorkerLost] = {}
        """Workers that nobody has told the end of, by stream: what is to be told of each."""
        self.last_epoch = 0
        """The latest of a coordinator's stream …"""
        self.last_worker_epoch = 0
        """… and of any worker's."""
        self._folds: dict[type, Callable[[Any, ev.Envelope], None]] = {
            ev.RunStarted: self._run_started,
            ev.FilesAssigned: self._assigned,
            ev.WorkerStarted: self._worker_started,
            ev.WorkerStopped: self._worker_gone,
            ev.WorkerLost: self._worker_lost,
            ev.WorkStolen: self._stolen,
            ev.FileStarted: self._file_started,
            ev.FileCompleted: self._completed,
            ev.FileFailed: self._failed,
            ev.FileCommitted: self._committed,
            ev.FileQuarantined: self._quarantined,
            ev.FileReopened: self._reopened,
        }

    def contents(self, file: str) -> Manifest:
        """What the results of a committed file were."""
        event = self.committed[file]
        return Manifest(event.results, event.size_bytes, event.digest)

    def apply(self, frames: Iterable[bytes]) -> None:
        """Fold frames in; what is no event is passed over."""
        for frame in frames:
            try:
                envelope = decode(frame)
            except FrameError:
                continue
            if isinstance(envelope, ev.Envelope) and (fold := self._folds.get(type(envelope.event))):
                fold(envelope.event, envelope)

    def _run_started(self, event: ev.RunStarted, envelope: ev.Envelope) -> None:
        self.started, self.run = event, envelope.run
        self.last_epoch = max(self.last_epoch, envelope.epoch)

    def _assigned(self, event: ev.FilesAssigned, envelope: ev.Envelope) -> None:
        for file in event.files:
            self.identities[file.file] = file.identity
            # Given out again, it was not taken for done.
            self.committed.pop(file.file, None)

    def _worker_started(self, event: ev.WorkerStarted, envelope: ev.Envelope) -> None:
        source, epoch = envelope.source, envelope.epoch
        if source.startswith(WORKER_SOURCE) and envelope.run == self.run:
            self.last_worker_epoch = max(self.last_worker_epoch, epoch)
            self.living[source, epoch] = ev.WorkerLost(event.device.key, source, epoch, "the launcher has ended")

    def _worker_gone(self, event: ev.WorkerStopped, envelope: ev.Envelope) -> None:
        self.living.pop((envelope.source, envelope.epoch), None)

    def _worker_lost(self, event: ev.WorkerLost, envelope: ev.Envelope) -> None:
        self.living.pop((event.source, event.epoch), None)

    def _stolen(self, event: ev.WorkStolen, envelope: ev.Envelope) -> None:
        self._holds(envelope, event.file, event.attempt, event.victim, event.stolen_at_ns)

    def _file_started(self, event: ev.FileStarted, envelope: ev.Envelope) -> None:
        known = self.living.get((envelope.source, envelope.epoch))
        if known is None or (known.file, known.attempt) != (event.file, event.attempt):
            self._holds(envelope, event.file, event.attempt, None, 0)

    def _holds(
        self, envelope: ev.Envelope, file: str | None, attempt: int, stolen_from: str | None, stolen_at_ns: int
    ) -> None:
        """From now on this is the file that a worker has in hand."""
        stream = envelope.source, envelope.epoch
        if lost := self.living.get(stream):
            self.living[stream] = ev.WorkerLost(
                lost.device, lost.source, lost.epoch, lost.reason, file, attempt, stolen_from, stolen_at_ns
            )

    def _completed(self, event: ev.FileCompleted, envelope: ev.Envelope) -> None:
        self._holds(envelope, None, 0, None, 0)
        self._end(event.file, Ended(event.device, True, event.sequences, ""))

    def _failed(self, event: ev.FileFailed, envelope: ev.Envelope) -> None:
        self._holds(envelope, None, 0, None, 0)
        if event.final:
            self._end(event.file, Ended(event.device, False, 0, event.reason))

    def _quarantined(self, event: ev.FileQuarantined, envelope: ev.Envelope) -> None:
        self._end(event.file, Ended("", False, 0, event.reason))

    def _end(self, file: str, how: Ended) -> None:
        if file in self.identities:
            self.ended[file] = how

    def _committed(self, event: ev.FileCommitted, envelope: ev.Envelope) -> None:
        self.committed[event.file] = event

    def _reopened(self, event: ev.FileReopened, envelope: ev.Envelope) -> None:
        self.ended.pop(event.file, None)
        self.committed.pop(event.file, None)


def read_past(path: Path) -> PastRun:
    """What the capture at `path` tells. Raises CaptureError."""
    past = PastRun()
    for batch in CaptureReader(path).batches():
        past.apply(record.frame for record in batch)
    return past
