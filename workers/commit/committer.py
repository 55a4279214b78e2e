"""The commit of finished attempts, exactly once: results are placed, synced to the disk, and only then journalled.

    worker     syncs its results, then reports                            (process/attempt.py)
    launcher   writes their names into the journal
               renames them into the results folder, syncs that folder
               writes completion and commit into the journal, syncs the journal
               removes what an earlier commit of the file had and this one has not
               answers the worker
               removes the attempt's output folder

So the results of every file that the journal calls committed are on disk, whenever the power fails, and results
that a killed launcher has placed and not committed are known by name (resume/resume.py). The two syncs of the
launcher stay one after the other: a journal that is on disk before the names of the results would call done what a
power failure has undone. All attempts that are reported in one turn of the launcher's loop share them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import FileCommitted, FileResults
from virnucpro_bus.files.disk import DISK_FAILURES
from workers.commit.placement import NO_RESULTS, Placement, results_events
from workers.commit.result_store import ResultStore
from workers.coordinator.assignment import Assignment
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.fault_injection import fault_point
from workers.protocol import Refusal, Settled


class Journal(Protocol):
    """The part of the hub that a commit needs: the capture, which is the run's journal."""

    capture: CaptureWriter

    def record(self, frames: list[bytes], decoded: Sequence[Envelope]) -> None:
        """Append frames, in which these events are, to the capture and forward them.

        What cannot be written now is kept until it can.
        """
        ...


@dataclass
class FinishedAttempt:
    """A worker's report that it has completed its leased file; the worker waits for the answer."""

    device: str
    """The device's key."""
    held: Assignment
    """The lease."""
    output: str
    """The attempt's output folder."""
    settled: Settled
    envelope: Envelope
    """The decoded `settled.frame`: a FileCompleted."""
    placement: Placement = NO_RESULTS
    """The names of the results in the results folder; `commit` sets it."""
    refusal: Refusal | None = None
    """Why the results could not be placed; None: they are placed, or `commit` has not run yet."""
    is_charged: bool = True
    """Whether the file is to blame if the results could not be placed."""


class Committer:
    """Commits finished attempts: places their results and records them in the journal. Not thread-safe."""

    def __init__(
        self,
        store: ResultStore,
        journal: Journal,
        coordinator: WorkStealingCoordinator,
    ) -> None:
        self.stop_reason: str | None = None
        """Why this session can commit nothing more; None while it can."""
        self._store = store
        self._journal = journal
        self._coordinator = coordinator
        self._is_synced = False
        """Whether all that must be in the journal is on disk; at first, whether the run's plan is."""
        self._unsynced: list[FinishedAttempt] = []
        """Recorded, and not known to be on disk yet."""
        self._spent: list[str] = []
        """The output folders of attempts that have ended."""

    def ready(self) -> bool:
        """Return whether all that must be in the journal is on disk, and more can be written."""
        capture = self._journal.capture
        if not self._is_synced and capture.problem is None:
            self._sync()
        if capture.is_broken:
            self.stop("the capture, which is its journal, can no longer be written")
        return self._is_synced and capture.problem is None

    def commit(self, attempts: Sequence[FinishedAttempt]) -> None:
        """Commit all attempts together; afterwards each one's `refusal` is why it was refused, or None.

        Those of one device are in the order in which its worker has made them.
        """
        named = self._name(attempts)
        # A launcher that is killed from here on leaves no results that the journal does not name.
        self._journal.capture.flush()
        placed = [attempt for attempt in named if self._place(attempt)]
        fault_point("after_place")
        try:
            self._store.sync()
        except OSError as error:
            for attempt in placed:
                self._store.remove(attempt.placement.paths())
                self._refuse(attempt, error, charged=False)
            placed = []
        fault_point("after_results_sync")
        self._record(attempts, placed)

    def tidy(self) -> None:
        """Remove what these attempts have left: to be called when the workers have their answers."""
        for output in self._spent:
            self._store.discard(output)
        self._spent.clear()

    def stop(self, reason: str) -> None:
        """Commit nothing more in this session. The first reason stays."""
        self.stop_reason = self.stop_reason or reason

    def _name(self, attempts: Iterable[FinishedAttempt]) -> list[FinishedAttempt]:
        """Record in the journal which results are about to be placed; return the attempts that have such names."""
        named: list[FinishedAttempt] = []
        events: list[FileResults] = []
        for attempt in attempts:
            held = attempt.held
            try:
                attempt.placement = self._store.plan(held.file, attempt.output)
                events += results_events(held.file.id, held.attempt, attempt.placement)
            except OSError as error:
                self._refuse_results(attempt, error)
            else:
                named.append(attempt)
        self._coordinator.announce(events)
        return named

    def _place(self, attempt: FinishedAttempt) -> bool:
        try:
            self._store.place(attempt.placement, attempt.output)
        except OSError as error:
            self._refuse_results(attempt, error)
            return False
        return True

    def _refuse_results(self, attempt: FinishedAttempt, error: OSError) -> None:
        # Else it is about these results: one of them is in the way of another, for example.
        is_disk = error.errno in DISK_FAILURES or self._store.problem() is not None
        self._refuse(attempt, error, charged=not is_disk)

    def _refuse(self, attempt: FinishedAttempt, error: OSError, *, charged: bool) -> None:
        """Refuse the attempt: its results could not be placed. `charged` False: no file's can be."""
        held = attempt.held
        reason = f"the results cannot be moved into the results folder: {error.strerror}"
        attempt.refusal, attempt.is_charged = Refusal(reason, is_final=charged and held.is_last), charged
        if not charged:
            self.stop(reason)

    def _record(self, attempts: Sequence[FinishedAttempt], placed: Sequence[FinishedAttempt]) -> None:
        """Record how the attempts have ended; those that are placed in the journal, and sync it."""
        if placed:
            self._journal.record(
                [attempt.settled.frame for attempt in placed], [attempt.envelope for attempt in placed]
            )
        for attempt in attempts:
            self._record_end(attempt)
        self._coordinator.announce([self._commit_event(attempt) for attempt in placed])
        if placed:
            fault_point("after_journal")
            self._unsynced += placed
            self._sync()

    def _record_end(self, attempt: FinishedAttempt) -> None:
        """Report to the coordinator how an attempt has ended."""
        key, file, envelope = attempt.device, attempt.held.file.id, attempt.envelope
        event, wall_ns, mono_ns = envelope.event, envelope.wall_ns, envelope.mono_ns
        seconds = event.duration_seconds
        self._spent.append(attempt.output)
        if attempt.refusal is not None:
            reason, charged = attempt.refusal.reason, attempt.is_charged
            self._coordinator.record_file_failure(
                key, file, reason, seconds, charged=charged, wall_ns=wall_ns, mono_ns=mono_ns
            )
            return
        self._coordinator.record_file_completion(
            key, file, event.sequences, seconds, wall_ns=wall_ns, mono_ns=mono_ns
        )

    def _commit_event(self, attempt: FinishedAttempt) -> FileCommitted:
        settled = attempt.settled
        return self._coordinator.commit_event(
            attempt.device,
            attempt.held,
            attempt.placement.entries,
            settled.size_bytes,
            settled.digest,
            attempt.envelope.event.sequences,
            settled.input_digest,
        )

    def _sync(self) -> None:
        """Sync the journal; then results that the recorded ones replace are not needed any more."""
        self._is_synced = self._journal.capture.sync()
        if self._is_synced:
            fault_point("after_journal_sync")
            for attempt in self._unsynced:
                self._store.remove_replaced(attempt.held.file, attempt.placement)
            self._unsynced.clear()
