"""The worker processes of a run: starts one a device, answers them, notices when one dies.

It is driven by the launcher's loop, one thread; what to work on is the coordinator's decision.
"""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import zmq

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.codec import decode
from virnucpro_bus.errors import ChannelError, FrameError
from virnucpro_bus.events import Envelope, FileCompleted, FileFailed
from virnucpro_bus.serve import BusServer
from virnucpro_bus.zmqio import HIGH_WATER_MARK, bind_privately
from workers.channel import (
    Answer,
    Done,
    Failed,
    Request,
    Task,
    Unable,
    WorkerConfig,
    decode_request,
    encode_answer,
    to_bytes,
)
from workers.coordinator import Assignment, WorkStealingCoordinator
from workers.results import ResultStore
from workers.slots import Slot

FAREWELL_SECONDS = 10.0
_REQUESTS_PER_TURN = 1_000


class WorkerPool:
    """One thread owns it."""

    def __init__(
        self,
        server: BusServer,
        coordinator: WorkStealingCoordinator,
        store: ResultStore,
        *,
        job: str,
        options: Mapping[str, str],
        clock: Clock,
        warn: Callable[[str], object],
    ) -> None:
        """`warn` is told, in one line, what a user should know."""
        self.unable: str | None = None
        """Why the job cannot be run at all; None as long as it can."""
        self._server = server
        self._coordinator = coordinator
        self._store = store
        self._job = job
        self._options = dict(options)
        self._clock = clock
        self._warn = warn
        self._token = secrets.token_hex(16)
        self._stopping = False
        self._slots = [Slot(number, device) for number, device in enumerate(coordinator.devices)]
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.LINGER, 0)
        self._router.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        self._router.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
        self._address = server.address("channel")
        bind_privately(self._router, self._address)

    @property
    def socket(self) -> zmq.Socket[bytes]:
        """To be polled for input before `turn`."""
        return self._router

    @property
    def running(self) -> bool:
        """Whether any worker process is still there."""
        return any(slot.process is not None for slot in self._slots)

    @property
    def given_up(self) -> bool:
        """Whether nothing more will be handed out."""
        return self._stopping

    def start(self) -> None:
        """Start every device's worker."""
        for slot in self._slots:
            self._spawn(slot)

    def turn(self) -> None:
        """Answer what has been asked, see to the dead, restart what is due."""
        try:
            for _ in range(_REQUESTS_PER_TURN):
                self._hear(self._router.recv_multipart(zmq.DONTWAIT))
        except zmq.Again:
            pass
        for slot in self._slots:
            self._look_after(slot)
        for slot in self._slots:
            if slot.waiting is not None:
                self._answer(slot, slot.waiting)

    def drain(self) -> None:
        """Hand out nothing more; workers end after the file in hand."""
        self._stopping = True

    def kill(self) -> None:
        """End all workers now: asked politely, then not."""
        self._stopping = True
        for slot in self._slots:
            slot.signal(signal.SIGTERM)
        for slot in self._slots:
            ended = slot.stop(seconds=1.0)
            if ended is not None:
                self._lost(slot, ended)

    def close(self) -> None:
        """End what is left and close the channel. Safe to call twice."""
        self.kill()
        self._context.destroy(linger=0)

    # Processes.

    def _spawn(self, slot: Slot) -> None:
        device = slot.device
        config = WorkerConfig(
            slot=slot.number,
            token=self._token,
            channel=self._address,
            publish=self._server.hub.addresses.publish,
            run=self._server.run,
            source=slot.source,
            epoch=slot.epoch + 1,
            device_key=device.key,
            device_name=device.name,
            device_index=device.index,
            job=self._job,
            options=self._options,
        )
        slot.spawn(config, self._server.log_path(slot.source))

    def _look_after(self, slot: Slot) -> None:
        """Notice a death; start a worker where one is wanted."""
        if slot.process is not None:
            ended = slot.reap()
            if ended is not None and not (slot.dismissed and slot.assignment is None):
                self._lost(slot, ended)
            elif ended is None and slot.dismissed and self._clock.mono_ns() >= slot.killed_at_ns:
                # A thread that the user's job has left behind, say, would keep the process for ever.
                self._warn(f"{slot.source} did not end by itself in {FAREWELL_SECONDS:.0f} s: killed")
                slot.killed_at_ns += int(FAREWELL_SECONDS * NANOSECONDS)
                slot.signal(signal.SIGKILL)
        elif self._wants_worker(slot):
            self._spawn(slot)

    def _wants_worker(self, slot: Slot) -> bool:
        if self._stopping or slot.retired or self._clock.mono_ns() < slot.restart_at_ns:
            return False
        return self._coordinator.unsettled > 0

    def _lost(self, slot: Slot, how: str) -> None:
        """A worker has died: what it held goes back; a device that keeps losing workers is retired."""
        key = slot.device.key
        held = self._coordinator.worker_lost(key, slot.source, slot.epoch, how)
        if slot.output is not None:
            self._store.discard(slot.output)
        slot.assignment = slot.output = slot.waiting = None
        if self._stopping:
            return
        doing = "before it had a file" if held is None else f"while it worked on {held.file.id}"
        self._warn(f"{slot.source} ({key}) {how} {doing}")
        if slot.deaths.note(None if held is None else held.file.id):
            slot.retired = True
            self._coordinator.retire(key)
            self._warn(f"{key} is out of use: its workers keep dying")
        slot.restart_at_ns = self._clock.mono_ns() + slot.deaths.delay_ns()

    # Questions and answers.

    def _hear(self, message: list[bytes]) -> None:
        try:
            peer, raw = message
            request = decode_request(raw)
        except (ValueError, ChannelError):
            return  # not one of our workers
        if request.token != self._token or not 0 <= request.slot < len(self._slots):
            return
        slot = self._slots[request.slot]
        if request.epoch != slot.epoch:
            return  # from a process that has been given up
        slot.peer = peer
        if slot.answered is not None and slot.answered.number == request.number:
            self._send(slot, slot.answered)
        elif slot.waiting is None or slot.waiting.number != request.number:
            slot.waiting = request
            slot.accepted = self._take_over(slot, request)

    def _take_over(self, slot: Slot, request: Request) -> bool:
        """Settle what the request reports; whether it counts."""
        settled, held, output = request.settled, slot.assignment, slot.output
        if isinstance(settled, Unable):
            self.unable = settled.reason
            self._stopping = True
        if settled is None or isinstance(settled, Unable) or held is None or output is None:
            return False
        envelope = _event_in(settled, held)
        if envelope is None:
            return False
        self._settle(slot, held, output, envelope)
        # The event's second way: if the worker dies before it can send it, it is in the journal all the same.
        self._server.hub.take([settled.frame])
        slot.assignment = slot.output = None
        return True

    def _settle(self, slot: Slot, held: Assignment, output: Path, envelope: Envelope) -> None:
        event = envelope.event
        key = slot.device.key
        if isinstance(event, FileCompleted):
            placed = self._store.place(held.file, output)
            self._coordinator.record_file_completion(
                key,
                held.file.id,
                event.sequences,
                event.duration_seconds,
                wall_ns=envelope.wall_ns,
                mono_ns=envelope.mono_ns,
            )
            self._coordinator.record_commit(key, held, placed.results, placed.size_bytes)
        else:
            self._store.discard(output)
            self._coordinator.record_file_failure(
                key,
                held.file.id,
                event.reason,
                event.duration_seconds,
                wall_ns=envelope.wall_ns,
                mono_ns=envelope.mono_ns,
            )
        slot.deaths.clear()

    def _answer(self, slot: Slot, request: Request) -> None:
        """Answer if there is a file, or nothing more to come; else the worker waits for what others may lose."""
        assignment = None if self._stopping else self._coordinator.next_file(slot.device.key)
        if assignment is None and not self._stopping and self._coordinator.unsettled > 0:
            return
        task = None
        if assignment is not None:
            slot.assignment = assignment
            slot.output = self._store.new_attempt()
            task = Task(
                assignment.file.id,
                to_bytes(assignment.file.path),
                to_bytes(slot.output.absolute()),
                assignment.attempt,
                assignment.stolen_from,
                assignment.stolen_at_ns,
            )
        else:
            slot.killed_at_ns = self._clock.mono_ns() + int(FAREWELL_SECONDS * NANOSECONDS)
        slot.waiting, slot.answered = None, Answer(request.number, slot.accepted, task)
        self._send(slot, slot.answered)

    def _send(self, slot: Slot, answer: Answer) -> None:
        try:
            self._router.send_multipart([slot.peer, encode_answer(answer)], zmq.DONTWAIT)
        except zmq.ZMQError:
            pass  # it has gone, or does not listen: it will ask again


def _event_in(settled: Done | Failed, held: Assignment) -> Envelope | None:
    """The event that a worker hands in, if it is about the file that it holds."""
    try:
        envelope = decode(settled.frame)
    except FrameError:
        return None
    wanted = FileCompleted if isinstance(settled, Done) else FileFailed
    if not isinstance(envelope, Envelope) or type(envelope.event) is not wanted:
        return None
    if (envelope.event.file, envelope.event.attempt) != (held.file.id, held.attempt):
        return None
    return envelope
