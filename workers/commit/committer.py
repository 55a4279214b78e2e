"""The commit of finished attempts, exactly once: results are placed, synced to the disk, and only then journalled.

    worker     syncs its results, then reports                            (process/attempt.py)
    launcher   writes their names into the journal
               renames them into the results folder, syncs that folder
               writes completion and commit into the journal, syncs the journal
               removes what an earlier commit of the file had and this one has not
               answers the worker

So the results of every file that the journal calls committed are on disk, whenever the power fails, and results
that a killed launcher has placed and not committed are known by name (resume/resume.py). All attempts that are
reported in one turn of the launcher's loop share their syncs.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.events.envelope import Envelope
from workers.commit.placement import NO_RESULTS, Placement, results_events
from workers.commit.result_store import ResultStore
from workers.coordinator.coordinator import Assignment, WorkStealingCoordinator
from workers.fault_injection import fault_point
from workers.protocol import Settled

_ENDS_THE_RUN = (errno.ENOSPC, errno.EDQUOT, errno.ESTALE)


class Journal(Protocol):
    """The part of the hub that a commit needs: the capture, which is the run's journal."""

    capture: CaptureWriter

    def ingest(self, frames: list[bytes]) -> int:
        """Append new frames to the capture and forward them; return how many were new."""
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
    refusal: str | None = None
    """Why the results could not be placed; None: they are placed, or `commit` has not run yet."""


class Committer:
    """Commits finished attempts: places their results and records them in the journal. Not thread-safe."""

    def __init__(
        self,
        store: ResultStore,
        journal: Journal,
        coordinator: WorkStealingCoordinator,
        warn: Callable[[str], object],
    ) -> None:
        """`warn` is called with one line for the user."""
        self.stop_reason: str | None = None
        """Why this session can commit nothing more; None while it can."""
        self._store = store
        self._journal = journal
        self._coordinator = coordinator
        self._warn = warn
        self._unrecorded: list[FinishedAttempt] = []
        """Placed, but not in the journal: it could not be written."""

    def ready(self) -> bool:
        """Record what could not be journalled before; return whether the journal can be written."""
        capture = self._journal.capture
        if capture.problem is not None:
            if capture.is_broken:
                self.stop("the journal could not be synced, so what the disk holds of it is unknown")
            return False
        if self._unrecorded:
            self._record(self._unrecorded)
        return not self._unrecorded

    def commit(self, attempts: Sequence[FinishedAttempt]) -> None:
        """Commit all attempts together; afterwards each one's `refusal` is why it was refused, or None."""
        named = [attempt for attempt in attempts if self._name(attempt)]
        # A launcher that is killed from here on leaves no results that the journal does not name.
        self._journal.capture.flush()
        placed = [attempt for attempt in named if self._place(attempt)]
        fault_point("after_place")
        try:
            self._store.sync()
        except OSError as error:
            for attempt in placed:
                self._store.remove(attempt.placement.paths())
                self._refuse(attempt, error)
            return
        fault_point("after_results_sync")
        for attempt in placed:
            event = attempt.envelope.event
            self._coordinator.record_file_completion(
                attempt.device,
                attempt.held.file.id,
                event.sequences,
                event.duration_seconds,
                wall_ns=attempt.envelope.wall_ns,
                mono_ns=attempt.envelope.mono_ns,
            )
            self._store.discard(attempt.output)
        if placed:
            self._record(placed)

    def stop(self, reason: str) -> None:
        """Commit nothing more in this session. The first reason stays."""
        self.stop_reason = self.stop_reason or reason

    def _name(self, attempt: FinishedAttempt) -> bool:
        """Record in the journal which results the attempt is about to place; return whether it can place them."""
        try:
            attempt.placement = self._store.plan(attempt.held.file, attempt.output)
            self._publish_names(attempt)
        except OSError as error:
            self._refuse(attempt, error)
            return False
        return True

    def _publish_names(self, attempt: FinishedAttempt) -> None:
        held = attempt.held
        self._coordinator.announce(list(results_events(held.file.id, held.attempt, attempt.placement)))

    def _place(self, attempt: FinishedAttempt) -> bool:
        try:
            self._store.place(attempt.placement, attempt.output)
        except OSError as error:
            self._refuse(attempt, error)
            return False
        return True

    def _refuse(self, attempt: FinishedAttempt, error: OSError) -> None:
        """Record the attempt as failed: its results could not be placed."""
        attempt.refusal = f"the results cannot be moved into the results folder: {error.strerror}"
        if error.errno in _ENDS_THE_RUN:
            self.stop(attempt.refusal)
        self._warn(f"{attempt.held.file.id}: {attempt.refusal}")
        self._store.discard(attempt.output)
        self._coordinator.record_file_failure(
            attempt.device,
            attempt.held.file.id,
            attempt.refusal,
            attempt.envelope.event.duration_seconds,
            wall_ns=attempt.envelope.wall_ns,
            mono_ns=attempt.envelope.mono_ns,
        )

    def _record(self, attempts: list[FinishedAttempt]) -> None:
        """Record placed results in the journal; keep them in `_unrecorded` when it cannot be synced."""
        is_retry = attempts is self._unrecorded
        for attempt in attempts:
            frame, settled = attempt.settled.frame, attempt.settled
            if is_retry:
                # The names may have been lost too. The hub skips frames that it has received before.
                self._publish_names(attempt)
                self._journal.capture.append([frame])
            else:
                self._journal.ingest([frame])
            self._coordinator.record_commit(
                attempt.device,
                attempt.held,
                attempt.placement.entries,
                settled.size_bytes,
                settled.digest,
                settled.input_digest,
            )
        fault_point("after_journal")
        if self._journal.capture.sync():
            fault_point("after_journal_sync")
            for attempt in attempts:
                self._store.remove_replaced(attempt.held.file, attempt.placement)
            self._unrecorded = []
        elif not is_retry:
            self._unrecorded += attempts
