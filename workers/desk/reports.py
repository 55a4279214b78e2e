"""What the workers report of their files: settled in the order in which they did them, and committed together."""

from __future__ import annotations

from collections.abc import Sequence

from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import FileCompleted, FileFailed
from virnucpro_bus.logs.find import log_hint, log_of
from workers.commit.committer import Committer, FinishedAttempt
from workers.coordinator.assignment import Assignment
from workers.desk.executor import Workplace
from workers.desk.seat import Seat
from workers.protocol import Refusal, Settled

MAX_JOB_WARNINGS = 10
"""How many files' warnings of the job are reported in a run."""


class Reports:
    """Takes the reports of all workers of a run. For one thread."""

    def __init__(self, workplace: Workplace, seats: Sequence[Seat], committer: Committer) -> None:
        """For `seats` see Desk."""
        self._server = workplace.server
        self._coordinator = workplace.coordinator
        self._store = workplace.store
        self._warn = workplace.warn
        self._seats = seats
        self._committer = committer
        self._job_warnings = 0

    @property
    def has_finished(self) -> bool:
        """Whether there are completed attempts to commit."""
        return any(seat.finished for seat in self._seats)

    def take(self, seat: Seat, settled: Sequence[Settled]) -> None:
        """Take what a worker reports. The seat's `refusals` then are of this report, as far as it is settled."""
        seat.refusals.clear()
        seat.reported.extend(settled)
        self._settle(seat)

    def commit(self) -> None:
        """Commit all completed attempts, and settle what was reported after them."""
        finished = [(seat, report) for seat in self._seats for report in seat.finished]
        self._committer.commit([report for _, report in finished])
        for seat, report in finished:
            del seat.held[0], seat.finished[0]
            seat.deaths.clear()
            seat.refusals.append(report.refusal)
            if report.refusal is None and report.settled.warning is not None:
                self._report_job_warning(report.held.file.id, report.settled.warning)
        for seat, _ in finished:
            self._settle(seat)

    def _settle(self, seat: Seat) -> None:
        """Settle what the worker has reported, in order: what follows a completed attempt, after its commit."""
        while seat.reported:
            settled, envelope = seat.reported[0], None
            if len(seat.finished) < len(seat.held):
                held, output = seat.held[len(seat.finished)]
                envelope = _event_about(held, settled.frame)
            if envelope is not None and isinstance(envelope.event, FileCompleted):
                seat.finished.append(FinishedAttempt(seat.device.key, held, output, settled, envelope))
            elif seat.finished:
                return
            elif envelope is None:
                seat.refusals.append(Refusal("the launcher has not leased this file to the worker"))
            else:
                self._settle_failure(seat, settled, envelope)
            seat.reported.popleft()

    def _settle_failure(self, seat: Seat, settled: Settled, envelope: Envelope) -> None:
        held, output = seat.held.pop(0)
        seat.deaths.clear()
        seat.refusals.append(None)
        self._store.discard(output)
        self._fail(seat, held, envelope, charged=settled.stop_reason is None)
        self._server.hub.record([settled.frame], [envelope])
        if settled.stop_reason is not None:
            log = log_of(self._server.run_dir, held.file.id, held.attempt)
            self._committer.stop(f"{settled.stop_reason}{log_hint(log)}")

    def _fail(self, seat: Seat, held: Assignment, envelope: Envelope, *, charged: bool) -> None:
        reason = envelope.event.reason
        self._coordinator.record_file_failure(
            seat.device.key,
            held.file.id,
            reason,
            envelope.event.duration_seconds,
            for_good=envelope.event.final,
            charged=charged,
            wall_ns=envelope.wall_ns,
            mono_ns=envelope.mono_ns,
        )
        if charged and not envelope.event.final:
            name, key = held.file.id, seat.device.key
            log = log_hint(log_of(self._server.run_dir, name, held.attempt))
            self._warn(
                f"{name}: attempt {held.attempt} on {key} failed, and the file is tried again: {reason}{log}"
            )

    def _report_job_warning(self, name: str, warning: str) -> None:
        self._job_warnings += 1
        if self._job_warnings <= MAX_JOB_WARNINGS:
            self._warn(f"{name}: {warning}")
        elif self._job_warnings == MAX_JOB_WARNINGS + 1:
            self._warn("the job warns of more files, which are not named here")


def _event_about(held: Assignment, frame: bytes) -> Envelope | None:
    """Decode the event that a worker reports. None unless it ends the attempt that the worker holds."""
    try:
        envelope = decode(frame)
    except FrameError:
        return None
    if not isinstance(envelope, Envelope) or not isinstance(envelope.event, FileCompleted | FileFailed):
        return None
    if (envelope.event.file, envelope.event.attempt) != (held.file.id, held.attempt):
        return None
    return envelope
