"""A desk with a real bus and store."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tests.support.machine import attempt, job
from tests.support.plans import cpus
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.events.vocabulary import FileCompleted, FileFailed
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.hub.bus_server import BusServer, HubSink
from workers.commit.result_store import ResultStore
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.desk.desk import Desk
from workers.desk.executor import Workplace
from workers.desk.halt import Halt
from workers.desk.limits import Limits
from workers.desk.seat import Seat
from workers.inputs.input_file import InputFile
from workers.protocol import Settled, Task, Unable


class Office:
    """A desk with two seats, and callers in the place of workers, of whatever kind those are."""

    def __init__(
        self,
        server: BusServer,
        files: Sequence[InputFile],
        *,
        retries: int = 1,
        halt: Halt | None = None,
        done_before: int = 0,
    ) -> None:
        self.server = server
        self.clock = ManualClock()
        self.warnings: list[str] = []
        self.held: list[Task] = []
        store = ResultStore(server.run_dir)
        store.prepare()
        self.coordinator = WorkStealingCoordinator(
            *(cpus(2), files),
            policy="off",
            retries=retries,
            done_before=done_before,
            sink=HubSink(server, self.clock),
            clock=self.clock,
        )
        self.seats = [Seat(number, device, epoch=1) for number, device in enumerate(self.coordinator.devices)]
        self._streams = [Sequencer(self.clock, source=seat.source, epoch=1) for seat in self.seats]
        self.desk = Desk(
            Workplace(
                server, self.coordinator, store, "", {}, Limits(), self.clock, self.warnings.append, halt=halt
            ),
            self.seats,
        )
        self.coordinator.start()

    def task(self, at: int) -> Task:
        (task,) = self.tasks(at) or ()
        return task

    def tasks(self, at: int) -> tuple[Task, ...] | None:
        """What the worker gets next; None: it ends."""
        answer = self.desk.answer(self.seats[at], 1)
        assert answer is not None
        return answer.tasks

    def completed(self, at: int, task: Task, seconds: float = 1.0) -> Settled:
        done = attempt(job, task, Disk())
        event = FileCompleted(self.seats[at].device.key, task.file, task.attempt, done.sequences, seconds)
        frame = encode(self._streams[at].next_envelope(event))
        return Settled(frame, done.manifest.size_bytes, done.manifest.digest, input_digest=done.input_digest)

    def completed_begun(self, at: int, task: Task) -> Settled:
        """Complete a file that the worker has begun."""
        os.rmdir(task.output)
        return self.completed(at, task)

    def task_done(self, at: int) -> Task:
        """Let a worker complete its next file, which took it long; return that."""
        task = self.task(at)
        self.report(at, self.completed(at, task, seconds=60.0))
        return task

    def failed(self, at: int, task: Task, *, final: bool, reason: str = "no") -> Settled:
        event = FileFailed(self.seats[at].device.key, task.file, task.attempt, reason, 1.0, final)
        return Settled(encode(self._streams[at].next_envelope(event)))

    def report(self, at: int, *settled: Settled, unable: Unable | None = None) -> list[bool]:
        """Report, and return of each whether it was accepted."""
        self.desk.report(self.seats[at], settled, unable)
        self.desk.commit()
        return [refusal is None for refusal in self.seats[at].refusals]
