"""Finished attempts become results, exactly once: put in place, brought to the disk, and only then journalled.

    worker     brings its results to the disk, then reports              (attempt.py)
    launcher   renames them into the results folder, brings that to the disk
               writes completion and commit into the journal, brings it to the disk
               answers the worker

What the journal says is done is therefore on disk, whenever the power goes. What is on disk without the
journal's knowing was never called done: a resumed run takes it away and does it again (resume.py). All that has
been reported in one turn of the loop is brought to the disk together.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.events.envelope import Envelope
from workers.commit.result_store import ResultStore
from workers.coordinator.coordinator import Assignment, WorkStealingCoordinator
from workers.fault_injection import fault_point
from workers.protocol import Settled

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Journal(Protocol):
    """The hub, as far as it is needed here."""

    capture: CaptureWriter

    def ingest(self, frames: list[bytes]) -> int:
        """Append frames to the capture and forward them; what has been here before is passed over."""
        ...


@dataclass
class FinishedAttempt:
    """What a device's worker has reported, and is to be answered: it has finished a file."""

    device: str
    held: Assignment
    output: str
    settled: Settled
    envelope: Envelope
    results: int = 0
    refusal: str | None = None
    """Why the results could not be taken over; None when they were, or it has not been tried yet."""


class Committer:
    """One thread owns it."""

    def __init__(
        self,
        store: ResultStore,
        journal: Journal,
        coordinator: WorkStealingCoordinator,
        warn: Callable[[str], object],
    ) -> None:
        """`warn` is told, in one line, what a user should know."""
        self.hopeless: str | None = None
        """Why nothing more can be committed in this session; None while all is well."""
        self._store = store
        self._journal = journal
        self._coordinator = coordinator
        self._warn = warn
        self._unrecorded: list[FinishedAttempt] = []
        """In place, but the journal had no room for it."""

    def ready(self) -> bool:
        """Whether the journal can be written, so that there is any use in working on."""
        capture = self._journal.capture
        if capture.problem is not None:
            if capture.is_broken and self.hopeless is None:
                self.hopeless = "the journal cannot be relied on any more"
            return False
        if self._unrecorded:
            self._record(self._unrecorded)
        return not self._unrecorded

    def commit(self, reports: Sequence[FinishedAttempt]) -> None:
        """Make results of what was reported, all together; afterwards `refusal` says of each what was wrong."""
        placed = [report for report in reports if self._place(report)]
        fault_point("after_place")
        try:
            self._store.sync()
        except OSError as error:
            for report in placed:
                self._store.withdraw([report.held.file])
                self._refuse(report, error)
            return
        fault_point("after_results_sync")
        for report in placed:
            event = report.envelope.event
            self._coordinator.record_file_completion(
                report.device,
                report.held.file.id,
                event.sequences,
                event.duration_seconds,
                wall_ns=report.envelope.wall_ns,
                mono_ns=report.envelope.mono_ns,
            )
            self._store.discard(report.output)
        if placed:
            self._record(placed)

    def stop(self, reason: str) -> None:
        """Nothing more is to be committed in this session."""
        self.hopeless = self.hopeless or reason

    def _place(self, report: FinishedAttempt) -> bool:
        try:
            report.results = self._store.place(report.held.file, report.output)
        except OSError as error:
            self._refuse(report, error)
            return False
        return True

    def _refuse(self, report: FinishedAttempt, error: OSError) -> None:
        """The attempt counts for nothing: it has failed, in the launcher."""
        report.refusal = f"the results cannot be put in place: {error.strerror}"
        if error.errno in _FULL:
            self.stop(report.refusal)
        self._warn(f"{report.held.file.id}: {report.refusal}")
        self._store.discard(report.output)
        self._coordinator.record_file_failure(
            report.device,
            report.held.file.id,
            report.refusal,
            report.envelope.event.duration_seconds,
            wall_ns=report.envelope.wall_ns,
            mono_ns=report.envelope.mono_ns,
        )

    def _record(self, reports: list[FinishedAttempt]) -> None:
        """Write into the journal what is in place; all is kept for later when that cannot be relied on."""
        again = reports is self._unrecorded
        for report in reports:
            frame, settled = report.settled.frame, report.settled
            if again:
                # The hub passes over what it has had before.
                self._journal.capture.append([frame])
            else:
                self._journal.ingest([frame])
            self._coordinator.record_commit(
                report.device, report.held, report.results, settled.size_bytes, settled.digest
            )
        fault_point("after_journal")
        if self._journal.capture.sync():
            fault_point("after_journal_sync")
            self._unrecorded = []
        elif not again:
            self._unrecorded += reports
