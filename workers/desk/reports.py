"""What the workers report of their files: settled in the order in which they did them, and committed together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import FileCompleted, FileFailed
from virnucpro_bus.logs.find import log_hint, log_of
from workers.commit.committer import Committer, FinishedAttempt
from workers.coordinator.assignment import Assignment
from workers.desk.executor import Workplace
from workers.desk.failure_kind import FailureLines, kind_of
from workers.desk.first_failures import FIRST_FILES, FirstFailures
from workers.desk.seat import Seat
from workers.protocol import Refusal, Settled

EVERY_FILE = "every file fails so"
"""Why a file that has failed for good is pending again."""
MAX_JOB_WARNINGS = 10
"""How many files' warnings of the job are reported in a run."""


class Reports:
    """Takes the reports of all workers of a run. For one thread."""

    def __init__(
        self, workplace: Workplace, seats: Sequence[Seat], committer: Committer, first: FirstFailures
    ) -> None:
        """For `seats` see Desk. `first` gets to know how files end."""
        self.completed = 0
        """How many files were completed."""
        self._server = workplace.server
        self._coordinator = workplace.coordinator
        self._store = workplace.store
        self._warn = workplace.warn
        self._seats = seats
        self._committer = committer
        self._first = first
        self._lines = FailureLines()
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
            if report.refusal is None:
                self._complete(report)
            elif report.is_charged:
                self._note_failure(seat, report.held, report.refusal.reason, final=report.refusal.is_final)
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

    def _complete(self, report: FinishedAttempt) -> None:
        self.completed += 1
        self._first.complete()
        if report.settled.warning is not None:
            self._report_job_warning(report.held.file.id, report.settled.warning)

    def _settle_failure(self, seat: Seat, settled: Settled, envelope: Envelope) -> None:
        held, output = seat.held.pop(0)
        seat.deaths.clear()
        seat.refusals.append(None)
        self._store.discard(output)
        failed = envelope.event
        self._coordinator.record_file_failure(
            seat.device.key,
            held.file.id,
            failed.reason,
            failed.duration_seconds,
            for_good=failed.final,
            charged=settled.stop_reason is None,
            wall_ns=envelope.wall_ns,
            mono_ns=envelope.mono_ns,
        )
        self._server.hub.record([settled.frame], [envelope])
        if settled.stop_reason is None:
            self._note_failure(seat, held, failed.reason, final=failed.final)
        else:
            self._committer.stop(f"{settled.stop_reason}{self._log_hint(held)}")

    def _note_failure(self, seat: Seat, held: Assignment, reason: str, *, final: bool) -> None:
        """Take note of an attempt that has failed, which is recorded: tell the user, or end the run for it."""
        name, key = held.file.id, seat.device.key
        kind = kind_of(reason, name)
        if self._first.is_decided:
            if final:
                self._coordinator.reopen(key, name, EVERY_FILE)
        elif self._committer.stop_reason is None and self._first.fail(key, name, reason, kind, for_good=final):
            for file, device in self._first.failed_for_good().items():
                self._coordinator.reopen(device, file, EVERY_FILE)
            self._committer.stop(
                f"no file is completed, and the first {FIRST_FILES} fail alike, such as {name}: "
                f"{reason}{self._log_hint(held)}"
            )
        elif not final:
            self.name_failure(kind, lambda: self._describe(held, key, reason))

    def name_failure(self, kind: str, describe: Callable[[], str]) -> None:
        """Tell the user of a failed attempt, in the line that `describe` returns, unless others had one."""
        if line := self._lines.choose(kind, describe):
            self._warn(line)

    def _describe(self, held: Assignment, key: str, reason: str) -> str:
        name, hint = held.file.id, self._log_hint(held)
        return f"{name}: attempt {held.attempt} on {key} failed, and the file is tried again: {reason}{hint}"

    def _log_hint(self, held: Assignment) -> str:
        """Return what a line about a failed attempt says of its log."""
        return log_hint(log_of(self._server.run_dir, held.file.id, held.attempt))

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
