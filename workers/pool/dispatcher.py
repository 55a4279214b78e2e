"""The launcher's end of the channel: accepts what workers report, and answers each with its next file."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import zmq

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import ChannelError, FrameError
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import FileCompleted, FileFailed
from virnucpro_bus.hub.hub import Hub
from virnucpro_bus.sockets import HIGH_WATER_MARK, bind_privately
from workers.commit.committer import Committer, FinishedAttempt
from workers.commit.result_store import ResultStore
from workers.coordinator.assignment import Assignment
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.pool.slot import Slot
from workers.protocol import Answer, Refusal, Request, Task, Unable, decode_request, encode_answer, to_bytes

DISMISSAL_SECONDS = 10.0
"""Time for a worker to exit after the answer that there are no more files."""
MAX_JOB_WARNINGS = 10
"""How many files' warnings of the job are reported in a run."""
_REQUESTS_PER_TURN = 1_000


class Dispatcher:
    """Receives the workers' requests, has their results committed, and sends the answers.

    For one thread. It shares the slots with the pool.
    """

    def __init__(
        self,
        address: str,
        slots: Sequence[Slot],
        hub: Hub,
        coordinator: WorkStealingCoordinator,
        store: ResultStore,
        clock: Clock,
        warn: Callable[[str], object],
    ) -> None:
        """Bind `address`. `warn` is called with each message for the user, in one line. Raises zmq.ZMQError."""
        self.address = address
        self.token = secrets.token_hex(16)
        """The secret that a request must carry: it proves that this launcher started the worker."""
        self.closing = False
        """Whether no more files are handed out: every further request is answered with the end."""
        self.unable: str | None = None
        """Why the job can run on none of the devices; None while it can run on one."""
        self._slots = slots
        self._hub = hub
        self._coordinator = coordinator
        self._store = store
        self._clock = clock
        self._warn = warn
        self._committer = Committer(store, hub, coordinator, warn)
        self._uncommitted: dict[int, FinishedAttempt] = {}
        """Finished attempts by slot number, not committed yet and so not answered."""
        self._has_leased = False
        """Whether a file was handed out."""
        self._paused = False
        self._unable_warnings: list[str] = []
        self._job_warnings = 0
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.ROUTER)
        """To wait on for input before `receive`."""
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        self.socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
        try:
            bind_privately(self.socket, address)
        except zmq.ZMQError:
            self.close()
            raise

    def receive(self) -> None:
        """Process the requests that have arrived, and commit what they report."""
        try:
            for _ in range(_REQUESTS_PER_TURN):
                self._process(self.socket.recv_multipart(zmq.DONTWAIT))
        except zmq.Again:
            pass
        self._commit()

    def reply(self) -> None:
        """Answer the pending requests for which there is an answer now."""
        if not self.can_commit() and not self.closing:
            return
        for slot in self._slots:
            if slot.pending is not None and slot.number not in self._uncommitted:
                self._answer(slot, slot.pending)

    @property
    def stopped(self) -> bool:
        """Whether the run ends early, because of what fails every file."""
        return self._committer.stop_reason is not None

    @property
    def failed_start(self) -> str | None:
        """Why the run ends before it has handed out a file; None if it has, or does not end early."""
        return None if self._has_leased else self._committer.stop_reason

    def stop(self, reason: str) -> None:
        """End the run early, without charging any file; a warning with the first reason follows."""
        self._committer.stop(reason)

    def close(self) -> None:
        """Close the channel. Safe to call twice."""
        self._context.destroy(linger=0)

    def _process(self, message: list[bytes]) -> None:
        try:
            peer, raw = message
            request = decode_request(raw)
        except (ValueError, ChannelError):
            return  # not from a worker of this run
        if request.token != self.token or not 0 <= request.slot < len(self._slots):
            return
        slot = self._slots[request.slot]
        if request.epoch != slot.epoch:
            return  # from an earlier process of the slot
        slot.peer = peer
        if slot.last_answer is not None and slot.last_answer.number == request.number:
            self._send(slot, slot.last_answer)
        elif slot.pending is None or slot.pending.number != request.number:
            slot.pending = request
            slot.refusal = self._settle(slot, request)

    def _settle(self, slot: Slot, request: Request) -> Refusal | None:
        """Settle the file that the request reports, if any. Return why that was refused; None if it was not."""
        settled, held, output = request.settled, slot.assignment, slot.output
        if isinstance(settled, Unable):
            self._settle_unable(slot, settled)
        if settled is None or isinstance(settled, Unable):
            return None
        if held is None or output is None or (envelope := _event_about(held, settled.frame)) is None:
            return Refusal("the launcher has not leased this file to the worker")
        event = envelope.event
        if isinstance(event, FileCompleted):
            self._uncommitted[slot.number] = FinishedAttempt(slot.device.key, held, output, settled, envelope)
            return None
        slot.assignment = slot.output = None
        slot.deaths.clear()
        self._fail(slot, held, output, envelope, charged=settled.stop_reason is None)
        self._hub.record([settled.frame])
        if settled.stop_reason is not None:
            self._committer.stop(settled.stop_reason)
        return None

    def _commit(self) -> None:
        """Commit the finished attempts; at the end of a run even if the journal cannot be written."""
        if not self._uncommitted or not (self.can_commit() or self.closing):
            return
        finished = [(slot, report) for slot in self._slots if (report := self._uncommitted.pop(slot.number, None))]
        # A worker may have died while the journal could not be written: then its file is assigned again.
        finished = [(slot, report) for slot, report in finished if slot.assignment is report.held]
        self._committer.commit([report for _, report in finished])
        for slot, report in finished:
            slot.assignment = slot.output = None
            slot.deaths.clear()
            slot.refusal = report.refusal
            if report.refusal is None and report.settled.warning is not None:
                self._report_job_warning(report.held.file.id, report.settled.warning)

    def can_commit(self) -> bool:
        """Whether results can be committed now: the journal holds the plan, and can be written.

        While they cannot, the run pauses; if they no longer can, it ends. A warning reports either, once.
        """
        ready = self._committer.ready()
        stop_reason = self._committer.stop_reason
        if stop_reason is not None and not self.closing:
            self.closing = True
            if self._has_leased:
                hint = "to continue it, give the same command with --resume"
                self._warn(f"the run ends early: {stop_reason}; {hint}")
        elif not ready and not self._paused and not self.closing:
            self._warn("the run pauses: it continues when the capture, which is its journal, can be written again")
        self._paused = not ready
        return ready

    def _fail(self, slot: Slot, held: Assignment, output: str, envelope: Envelope, *, charged: bool) -> None:
        reason = envelope.event.reason
        self._store.discard(output)
        self._coordinator.record_file_failure(
            slot.device.key,
            held.file.id,
            reason,
            envelope.event.duration_seconds,
            for_good=envelope.event.final,
            charged=charged,
            wall_ns=envelope.wall_ns,
            mono_ns=envelope.mono_ns,
        )
        if charged and not envelope.event.final:
            name, key = held.file.id, slot.device.key
            self._warn(f"{name}: attempt {held.attempt} on {key} failed, and the file is tried again: {reason}")

    def _report_job_warning(self, name: str, warning: str) -> None:
        self._job_warnings += 1
        if self._job_warnings <= MAX_JOB_WARNINGS:
            self._warn(f"{name}: {warning}")
        elif self._job_warnings == MAX_JOB_WARNINGS + 1:
            self._warn("the job warns of more files, which are not named here")

    def _settle_unable(self, slot: Slot, unable: Unable) -> None:
        """Retire a device on which the job does not load. The run ends only if it loads on none."""
        if unable.disk_full:
            self._committer.stop(unable.reason)
            return
        slot.retired = True
        if not all(each.retired for each in self._slots):
            self._coordinator.retire(slot.device.key)
            self._unable_warnings.append(f"{slot.device.key} is retired: {unable.reason}")
        elif self._has_leased:
            # It did load: what has changed since is no reason to fail the files that remain.
            self._committer.stop(unable.reason)
        else:
            self.unable = unable.reason
            self.closing = True

    def _warn_of_retired(self) -> None:
        """Warn of the devices on which the job does not load, once it has loaded on one.

        If it loads on none, the run ends with the reason instead.
        """
        for message in self._unable_warnings:
            self._warn(message)
        self._unable_warnings.clear()

    def _answer(self, slot: Slot, request: Request) -> None:
        """Answer with a file, or with the end; keep the request pending while another worker may lose its file."""
        assignment = None if self.closing else self._coordinator.next_file(slot.device.key)
        if assignment is None and not self.closing and self._coordinator.unsettled > 0:
            return
        task = None
        if assignment is not None:
            self._warn_of_retired()
            self._has_leased = True
            slot.assignment = assignment
            slot.output = self._store.new_attempt()
            task = Task(
                assignment.file.id,
                to_bytes(assignment.file.path),
                to_bytes(slot.output),
                assignment.attempt,
                assignment.stolen_from,
                assignment.stolen_at_ns,
                assignment.file.state,
                assignment.is_last,
            )
        else:
            slot.dismissal_ends_ns = self._clock.mono_ns() + int(DISMISSAL_SECONDS * NANOSECONDS)
        slot.pending, slot.last_answer = None, Answer(request.number, task, slot.refusal)
        self._send(slot, slot.last_answer)

    def _send(self, slot: Slot, answer: Answer) -> None:
        try:
            self.socket.send_multipart([slot.peer, encode_answer(answer)], zmq.DONTWAIT)
        except zmq.ZMQError:
            pass  # the worker has died, or its queue is full: then it sends the request again


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
