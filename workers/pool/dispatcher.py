"""The launcher's end of the channel: answers workers, takes over what they have done, hands out what is next."""

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
from workers.coordinator.coordinator import Assignment, WorkStealingCoordinator
from workers.pool.slot import Slot
from workers.protocol import Answer, Request, Task, Unable, decode_request, encode_answer, to_bytes

FAREWELL_SECONDS = 10.0
_REQUESTS_PER_TURN = 1_000


class Dispatcher:
    """One thread owns it. Whom it serves stands in the slots, which it shares with the pool."""

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
        """Bind `address`. `warn` is told, in one line, what a user should know."""
        self.address = address
        self.token = secrets.token_hex(16)
        """What a worker of ours proves itself with."""
        self.closing = False
        """Once true, nothing more is handed out: who asks is told to end."""
        self.unable: str | None = None
        """Why the job can be run on no device at all; None as long as it can."""
        self._slots = slots
        self._hub = hub
        self._coordinator = coordinator
        self._store = store
        self._clock = clock
        self._warn = warn
        self._commits = Committer(store, hub, coordinator, warn)
        self._reports: dict[int, FinishedAttempt] = {}
        """Of files that are finished, by the number of the slot: not yet committed, so not answered."""
        self._paused = False
        self._unable_devices: list[str] = []
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.ROUTER)
        """To be polled for input before `hear`."""
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        self.socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
        bind_privately(self.socket, address)

    def receive(self) -> None:
        """Take in what workers have asked."""
        try:
            for _ in range(_REQUESTS_PER_TURN):
                self._hear(self.socket.recv_multipart(zmq.DONTWAIT))
        except zmq.Again:
            pass
        self._commit()

    def reply(self) -> None:
        """Answer all who wait and for whom there is an answer by now."""
        if not self._may_go_on() and not self.closing:
            return
        for slot in self._slots:
            if slot.waiting is not None and slot.number not in self._reports:
                self._answer(slot, slot.waiting)

    def close(self) -> None:
        """Close the channel. Safe to call twice."""
        self._context.destroy(linger=0)

    def _hear(self, message: list[bytes]) -> None:
        try:
            peer, raw = message
            request = decode_request(raw)
        except (ValueError, ChannelError):
            return  # not one of our workers
        if request.token != self.token or not 0 <= request.slot < len(self._slots):
            return
        slot = self._slots[request.slot]
        if request.epoch != slot.epoch:
            return  # from a process that has been given up
        slot.peer = peer
        if slot.answered is not None and slot.answered.number == request.number:
            self._send(slot, slot.answered)
        elif slot.waiting is None or slot.waiting.number != request.number:
            slot.waiting = request
            slot.refusal = self._take_over(slot, request)

    def _take_over(self, slot: Slot, request: Request) -> str | None:
        """Settle what the request reports. Returns why it could not be taken over; None when it was."""
        settled, held, output = request.settled, slot.assignment, slot.output
        if isinstance(settled, Unable):
            self._retire_unable(slot, settled.reason)
        if settled is None or isinstance(settled, Unable):
            return None
        if held is None or output is None or (envelope := _event_about(held, settled.frame)) is None:
            return "the launcher does not know of this file"
        event = envelope.event
        if isinstance(event, FileCompleted):
            self._reports[slot.number] = FinishedAttempt(slot.device.key, held, output, settled, envelope)
            return None
        slot.assignment = slot.output = None
        slot.deaths.clear()
        self._fail(slot, held, output, event.reason, envelope)
        self._hub.ingest([settled.frame])
        if settled.disk_full:
            self._commits.stop(f"{held.file.id} has failed for want of room on the disk")
        return None

    def _commit(self) -> None:
        """Make results of what was reported; at the end of a run even if the journal cannot be written."""
        if not self._reports or not (self._may_go_on() or self.closing):
            return
        reported = [(slot, report) for slot in self._slots if (report := self._reports.pop(slot.number, None))]
        # Whose worker has died meanwhile, while the journal could not be written, is given out again.
        reported = [(slot, report) for slot, report in reported if slot.assignment is report.held]
        self._commits.commit([report for _, report in reported])
        for slot, report in reported:
            slot.assignment = slot.output = None
            slot.deaths.clear()
            slot.refusal = report.refusal

    def _may_go_on(self) -> bool:
        """Whether results can be committed. While they cannot the run pauses; where they never will it ends."""
        ready = self._commits.ready()
        hopeless = self._commits.stop_reason
        if hopeless is not None and not self.closing:
            self.closing = True
            self._warn(f"nothing more is handed out: {hopeless}; the same command with --resume goes on from here")
        elif not ready and not self._paused and not self.closing:
            self._warn("nothing is handed out until the capture, which is the run's journal, can be written again")
        self._paused = not ready
        return ready

    def _fail(self, slot: Slot, held: Assignment, output: str, reason: str, envelope: Envelope) -> None:
        self._store.discard(output)
        self._coordinator.record_file_failure(
            slot.device.key,
            held.file.id,
            reason,
            envelope.event.duration_seconds,
            for_good=envelope.event.final,
            wall_ns=envelope.wall_ns,
            mono_ns=envelope.mono_ns,
        )
        if not envelope.event.final:
            name, key = held.file.id, slot.device.key
            self._warn(f"{name}: attempt {held.attempt}, on {key}, has failed and is made again: {reason}")

    def _retire_unable(self, slot: Slot, reason: str) -> None:
        """The job does not load on a device: the others go on. Only when it loads on none, the run is over."""
        slot.retired = True
        self._coordinator.retire(slot.device.key)
        if all(each.retired for each in self._slots):
            self.unable = reason
            self.closing = True
        else:
            self._unable_devices.append(f"{slot.device.key} is out of use: {reason}")

    def _tell_unable(self) -> None:
        """Only once the job has loaded somewhere: else the run ends with that one reason."""
        for message in self._unable_devices:
            self._warn(message)
        self._unable_devices.clear()

    def _answer(self, slot: Slot, request: Request) -> None:
        """Answer if there is a file, or nothing more to come; else the worker waits for what others may lose."""
        assignment = None if self.closing else self._coordinator.next_file(slot.device.key)
        if assignment is None and not self.closing and self._coordinator.unsettled > 0:
            return
        task = None
        if assignment is not None:
            self._tell_unable()
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
            slot.killed_at_ns = self._clock.mono_ns() + int(FAREWELL_SECONDS * NANOSECONDS)
        slot.waiting, slot.answered = None, Answer(request.number, task, slot.refusal)
        self._send(slot, slot.answered)

    def _send(self, slot: Slot, answer: Answer) -> None:
        try:
            self.socket.send_multipart([slot.peer, encode_answer(answer)], zmq.DONTWAIT)
        except zmq.ZMQError:
            pass  # it has gone, or does not listen: it will ask again


def _event_about(held: Assignment, frame: bytes) -> Envelope | None:
    """The event that a worker hands in, if it says how the file that it holds has ended."""
    try:
        envelope = decode(frame)
    except FrameError:
        return None
    if not isinstance(envelope, Envelope) or not isinstance(envelope.event, FileCompleted | FileFailed):
        return None
    if (envelope.event.file, envelope.event.attempt) != (held.file.id, held.attempt):
        return None
    return envelope
