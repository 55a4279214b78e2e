"""The journal: what the capture records of a run's earlier sessions, for a launcher that resumes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from virnucpro_bus import events as ev
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.codec import decode
from workers.commit.manifest import Manifest
from workers.resume.past_results import PastResults

WORKER_SOURCE = "worker-"
"""The prefix of the source names of a pool's workers."""


class SettledFile(NamedTuple):
    """How a file was settled: completed, or failed for good."""

    device: str
    """Key of the device of the last attempt; "" when the file was quarantined."""
    completed: bool
    sequences: int
    reason: str
    """Why it failed; "" when it was completed."""


class PastRun:
    """The earlier sessions of a run, folded from their events in the order of the capture."""

    def __init__(self) -> None:
        self.started: ev.RunStarted | None = None
        """The first event of the last session; None when no session got that far."""
        self.run = ""
        """The run's id; "" when no session got that far."""
        self.planned: dict[str, ev.PlannedFile] = {}
        """Every file that was planned, as it was planned last, by id."""
        self.settled: dict[str, SettledFile] = {}
        """How files were settled, by id; pending files are not in it."""
        self.committed: dict[str, ev.FileCommitted] = {}
        """The commits that still count, by file id."""
        self.results = PastResults()
        """The names of the results that were placed."""
        self.running_workers: dict[tuple[str, int], ev.WorkerLost] = {}
        """Workers whose end was not recorded, by source and epoch: the event to publish about each."""
        self.last_epoch = 0
        """The latest epoch of a coordinator …"""
        self.last_worker_epoch = 0
        """… and of any worker."""
        self._folds: dict[type, Callable[[Any, ev.Envelope], None]] = {
            ev.RunStarted: self._run_started,
            ev.FilesAssigned: self._assigned,
            ev.WorkerStarted: self._worker_started,
            ev.WorkerStopped: self._worker_stopped,
            ev.WorkerLost: self._worker_lost,
            ev.WorkStolen: self._stolen,
            ev.FileStarted: self._file_started,
            ev.FileCompleted: self._completed,
            ev.FileFailed: self._failed,
            ev.FileResults: self._results,
            ev.FileCommitted: self._committed,
            ev.FileQuarantined: self._quarantined,
            ev.FileReopened: self._reopened,
            ev.FileRecognized: self._recognized,
        }

    def manifest_of(self, file: str) -> Manifest:
        """Return the manifest of a committed file's results."""
        event = self.committed[file]
        return Manifest(event.results, event.size_bytes, event.digest)

    def apply(self, frames: Iterable[bytes]) -> None:
        """Fold frames in; skip those that are not events."""
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
            self.planned[file.file] = file
            # A session planned it again, so its results were not accepted as done.
            self.committed.pop(file.file, None)

    def _worker_started(self, event: ev.WorkerStarted, envelope: ev.Envelope) -> None:
        source, epoch = envelope.source, envelope.epoch
        if source.startswith(WORKER_SOURCE) and envelope.run == self.run:
            self.last_worker_epoch = max(self.last_worker_epoch, epoch)
            self.running_workers[source, epoch] = ev.WorkerLost(
                event.device.key, source, epoch, "the launcher has ended"
            )

    def _worker_stopped(self, event: ev.WorkerStopped, envelope: ev.Envelope) -> None:
        self.running_workers.pop((envelope.source, envelope.epoch), None)

    def _worker_lost(self, event: ev.WorkerLost, envelope: ev.Envelope) -> None:
        self.running_workers.pop((event.source, event.epoch), None)

    def _stolen(self, event: ev.WorkStolen, envelope: ev.Envelope) -> None:
        self._set_lease(envelope, event.file, event.attempt, event.victim, event.stolen_at_ns)

    def _file_started(self, event: ev.FileStarted, envelope: ev.Envelope) -> None:
        known = self.running_workers.get((envelope.source, envelope.epoch))
        if known is None or (known.file, known.attempt) != (event.file, event.attempt):
            self._set_lease(envelope, event.file, event.attempt, None, 0)

    def _set_lease(
        self, envelope: ev.Envelope, file: str | None, attempt: int, stolen_from: str | None, stolen_at_ns: int
    ) -> None:
        """Set the file that a running worker holds; None: no file."""
        stream = envelope.source, envelope.epoch
        if lost := self.running_workers.get(stream):
            self.running_workers[stream] = ev.WorkerLost(
                lost.device, lost.source, lost.epoch, lost.reason, file, attempt, stolen_from, stolen_at_ns
            )

    def _completed(self, event: ev.FileCompleted, envelope: ev.Envelope) -> None:
        self._set_lease(envelope, None, 0, None, 0)
        self._settle(event.file, SettledFile(event.device, True, event.sequences, ""))

    def _failed(self, event: ev.FileFailed, envelope: ev.Envelope) -> None:
        self._set_lease(envelope, None, 0, None, 0)
        if event.final:
            self._settle(event.file, SettledFile(event.device, False, 0, event.reason))

    def _quarantined(self, event: ev.FileQuarantined, envelope: ev.Envelope) -> None:
        self._settle(event.file, SettledFile("", False, 0, event.reason))

    def _settle(self, file: str, settled: SettledFile) -> None:
        # Other programs may publish on the same bus: their files are not in the plan.
        if file in self.planned:
            self.settled[file] = settled

    def _results(self, event: ev.FileResults, envelope: ev.Envelope) -> None:
        self.results.add(event)

    def _committed(self, event: ev.FileCommitted, envelope: ev.Envelope) -> None:
        self.committed[event.file] = event
        self.results.commit(event.file)

    def _recognized(self, event: ev.FileRecognized, envelope: ev.Envelope) -> None:
        planned = self.planned.get(event.file, ev.PlannedFile(event.file, 0, 0))
        self.planned[event.file] = msgspec.structs.replace(planned, origin=event.origin)

    def _reopened(self, event: ev.FileReopened, envelope: ev.Envelope) -> None:
        self.settled.pop(event.file, None)
        self.committed.pop(event.file, None)


def read_past_run(path: Path) -> PastRun:
    """Return the run that the capture at `path` records. Raises CaptureError."""
    past = PastRun()
    for batch in CaptureReader(path).batches():
        past.apply(record.frame for record in batch)
    return past
