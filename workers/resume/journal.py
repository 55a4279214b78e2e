"""The journal: what the capture records of a run's earlier sessions, for a launcher that resumes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from virnucpro_bus import events as ev
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.codec import Foreign, decode
from virnucpro_bus.events.envelope import COORDINATOR_SOURCE, WORKER_SOURCE_PREFIX
from workers.commit.manifest import Manifest
from workers.resume.as_planned import AsPlanned
from workers.resume.past_plan import PastPlan
from workers.resume.past_results import PastResults


class SettledFile(NamedTuple):
    """How a file was settled: completed, or failed for good."""

    device: str
    """Key of the device of the last attempt; "" when the file was quarantined."""
    completed: bool
    sequences: int
    reason: str
    """Why it failed; "" when it was completed."""


class PastRun:
    """The earlier sessions of a run, folded from their events in the order of the capture.

    Other programs may publish on the same bus. What the run has done is believed of its coordinator alone, and
    what its workers did of them; the coordinator's first event says which run and host these are.
    """

    def __init__(self, read_frames: Callable[[], Iterable[bytes]]) -> None:
        """`read_frames` reads the capture once more, for `read_plan`."""
        self._read_frames = read_frames
        self.started: ev.RunStarted | None = None
        """The first event of the last session; None when no session got that far."""
        self.run = ""
        """The run's id; "" when no session got that far."""
        self.host = ""
        """The host that the run's events name, whatever the machine is called that resumes it; "" as for `run`."""
        self.planned = AsPlanned()
        """What shows of each planned file that it is as it was planned last."""
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
        """… and of any worker, whatever run it names: a stream must never be continued by another process."""
        self.damaged_places = 0
        """How often the capture is damaged; what it held there is unknown."""
        self._ended_workers: set[tuple[str, int]] = set()

    def manifest_of(self, file: str) -> Manifest:
        """Return the manifest of a committed file's results."""
        event = self.committed[file]
        return Manifest(event.results, event.size_bytes, event.digest)

    def read_plan(self) -> PastPlan:
        """Return all of every file that was planned, as it was planned last, by id; committed files come first.

        It takes time and memory, and is needed only where inputs are not as planned. Of a file whose plan the
        journal lacks, because it is damaged, only the id is known.
        """
        plan = PastPlan()
        for frame in self._read_frames():
            try:
                envelope = decode(frame)
            except FrameError:
                continue
            if envelope.source != COORDINATOR_SOURCE or not self._is_own(envelope):
                continue
            event = envelope.event
            if isinstance(event, ev.FilesAssigned):
                plan.update((file.file, file) for file in event.files)
            elif isinstance(event, ev.FileRecognized):
                planned = plan.get(event.file, ev.PlannedFile(event.file, 0, 0))
                plan[event.file] = msgspec.structs.replace(planned, origin=event.origin)
        return plan.with_first(self.committed)

    def apply(self, frames: Iterable[bytes]) -> None:
        """Fold frames in; skip those that are not events."""
        for frame in frames:
            try:
                envelope = decode(frame)
            except FrameError:
                continue
            if envelope.source == COORDINATOR_SOURCE:
                self.last_epoch = max(self.last_epoch, envelope.epoch)
                self._apply_coordinator(envelope)
            elif envelope.source.startswith(WORKER_SOURCE_PREFIX):
                self.last_worker_epoch = max(self.last_worker_epoch, envelope.epoch)
                self._apply_worker(envelope)

    def _apply_coordinator(self, envelope: ev.Envelope | Foreign) -> None:
        if not self.run:
            self.run, self.host = envelope.run, envelope.host
        if self._is_own(envelope) and (fold := _COORDINATOR_FOLDS.get(type(envelope.event))):
            fold(self, envelope.event)

    def _apply_worker(self, envelope: ev.Envelope | Foreign) -> None:
        if not isinstance(envelope, ev.Envelope) or not self._is_own(envelope):
            return
        event, stream = envelope.event, (envelope.source, envelope.epoch)
        # Any of its events shows that it runs: the first may be missing.
        if stream not in self.running_workers and stream not in self._ended_workers:
            device = event.thief if isinstance(event, ev.WorkStolen) else getattr(event, "device", "")
            key = device.key if isinstance(device, ev.Device) else device
            self.running_workers[stream] = ev.WorkerLost(key, *stream, "the launcher has ended")
        if fold := _WORKER_FOLDS.get(type(event)):
            fold(self, event, envelope)

    def _is_own(self, envelope: ev.Envelope | Foreign) -> bool:
        return envelope.run == self.run and envelope.host == self.host

    def _run_started(self, event: ev.RunStarted) -> None:
        self.started = event

    def _assigned(self, event: ev.FilesAssigned) -> None:
        self.planned.add(event.files)
        if self.committed:
            # A session planned them again, so their results were not accepted as done.
            for file in event.files:
                self.committed.pop(file.file, None)

    def _worker_stopped(self, event: ev.WorkerStopped, envelope: ev.Envelope) -> None:
        self._end_worker(envelope.source, envelope.epoch)

    def _worker_lost(self, event: ev.WorkerLost) -> None:
        self.last_worker_epoch = max(self.last_worker_epoch, event.epoch)
        self._end_worker(event.source, event.epoch)

    def _end_worker(self, source: str, epoch: int) -> None:
        self.running_workers.pop((source, epoch), None)
        self._ended_workers.add((source, epoch))

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
        self.settled[event.file] = SettledFile(event.device, True, event.sequences, "")

    def _failed(self, event: ev.FileFailed, envelope: ev.Envelope) -> None:
        self._set_lease(envelope, None, 0, None, 0)
        if event.final:
            self.settled[event.file] = SettledFile(event.device, False, 0, event.reason)

    def _quarantined(self, event: ev.FileQuarantined) -> None:
        self.settled[event.file] = SettledFile("", False, 0, event.reason)

    def _results(self, event: ev.FileResults) -> None:
        self.results.add(event)

    def _committed(self, event: ev.FileCommitted) -> None:
        self.committed[event.file] = event
        self.results.commit(event.file)
        # Viewers count it by this event, whether or not the completion is known.
        if event.file not in self.settled or not self.settled[event.file].completed:
            self.settled[event.file] = SettledFile(event.device, True, event.sequences or 0, "")

    def _reopened(self, event: ev.FileReopened) -> None:
        self.settled.pop(event.file, None)
        self.committed.pop(event.file, None)


_COORDINATOR_FOLDS: Mapping[type, Callable[[PastRun, Any], None]] = {
    ev.RunStarted: PastRun._run_started,
    ev.FilesAssigned: PastRun._assigned,
    ev.WorkerLost: PastRun._worker_lost,
    ev.FileCommitted: PastRun._committed,
    ev.FileQuarantined: PastRun._quarantined,
    ev.FileReopened: PastRun._reopened,
    ev.FileResults: PastRun._results,
}
_WORKER_FOLDS: Mapping[type, Callable[[PastRun, Any, ev.Envelope], None]] = {
    ev.WorkerStopped: PastRun._worker_stopped,
    ev.WorkStolen: PastRun._stolen,
    ev.FileStarted: PastRun._file_started,
    ev.FileCompleted: PastRun._completed,
    ev.FileFailed: PastRun._failed,
}


def holds_run(path: Path) -> bool:
    """Return whether the capture at `path` records more than a start that failed. Raises CaptureError.

    A launcher that could assign no file has left nothing else: no plan, and no event of another program.
    """
    reader = CaptureReader(path)
    for record in reader:
        try:
            envelope = decode(record.frame)
        except FrameError:
            return True
        if envelope.source != COORDINATOR_SOURCE or not isinstance(envelope, ev.Envelope):
            return True
        if isinstance(envelope.event, ev.FilesAssigned):
            return True
    return reader.scanner.skipped_bytes > 0


def read_past_run(path: Path) -> PastRun:
    """Return the run that the capture at `path` records. Raises CaptureError."""
    past, reader = PastRun(lambda: (record.frame for record in CaptureReader(path))), CaptureReader(path)
    for batch in reader.batches():
        past.apply(record.frame for record in batch)
    # A last record that was cut off is what a crash leaves; it had not been synced.
    past.damaged_places = reader.scanner.damaged_places - reader.scanner.is_cut_off
    return past
