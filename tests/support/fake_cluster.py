"""A Dask cluster without processes: a client that notes what it is asked, and workers that a test speaks for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.support.machine import attempt
from virnucpro_bus import events as ev
from virnucpro_bus.clock import Clock
from virnucpro_bus.dask.topic import topic_of
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.files.disk import Disk
from workers.dask.member.survey import Member, boot_id, reply_to
from workers.process.attempt import RunJob
from workers.protocol import (
    Request,
    Settled,
    Task,
    Unable,
    WorkerConfig,
    decode_answer,
    encode_request,
)


class FakeFuture:
    """A future that a test resolves."""

    def __init__(self) -> None:
        self.is_released = False
        self.outcome: object = None

    def release(self) -> None:
        self.is_released = True

    def __await__(self) -> Generator[None, None, object]:
        yield from ()
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@dataclass
class Call:
    """A task that was submitted to one worker."""

    address: str
    arguments: tuple[Any, ...]
    future: FakeFuture
    replied: Callable[[], object] | None = None
    """Tells the link that the future is resolved."""
    key: str = ""
    is_pinned: bool = True
    """Whether no other worker may get it."""

    def resolve(self, outcome: object) -> None:
        """End the task with this result or exception."""
        self.future.outcome = outcome
        assert self.replied is not None
        self.replied()


@dataclass
class FakeCluster:
    """The client of a cluster, and what it was asked."""

    members: dict[str, Member]
    """The workers that are there, by address."""
    calls: list[Call] = field(default_factory=list)
    restarted: list[str] = field(default_factory=list)
    restart_outcome: str = "OK"
    status: str = "running"
    refused: int = 0
    topics: dict[str, Callable[[object], object]] = field(default_factory=dict)

    @property
    def loop(self) -> FakeCluster:
        return self

    def add_callback(self, callback: Callable[..., Any], token: str, future: FakeFuture) -> None:
        call = next(call for call in self.calls if call.future is future)
        call.replied = lambda: asyncio.run(callback(token, future))

    def subscribe_topic(self, topic: str, handler: Callable[[object], object]) -> None:
        self.topics[topic] = handler

    def unsubscribe_topic(self, topic: str) -> None:
        del self.topics[topic]

    def nthreads(self) -> dict[str, int]:
        return dict.fromkeys(self.members, 1)

    def submit(
        self,
        function: object,
        *arguments: Any,
        workers: list[str],
        key: str,
        allow_other_workers: bool,
        **_: Any,
    ) -> FakeFuture:
        future = FakeFuture()
        self.calls.append(Call(workers[0], arguments, future, None, key, not allow_other_workers))
        return future

    def run(self, function: object, question: bytes, workers: list[str], on_error: str) -> dict[str, bytes]:
        return {
            address: reply_to(question, self.members[address].name, self.members[address].nanny)
            for address in workers
            if address in self.members
        }

    def restart_workers(self, workers: list[str], **_: Any) -> dict[str, str]:
        self.restarted += workers
        return dict.fromkeys(workers, self.restart_outcome)

    def close(self, timeout: float) -> None:
        self.status = "closed"

    # What happens in the cluster.

    def join(self, address: str, member: Member) -> None:
        """Let a worker join."""
        self.members[address] = member
        self.topics["all"]((1.0, {"action": "add-worker", "worker": address}))

    def leave(self, address: str) -> None:
        """Let a worker die."""
        del self.members[address]
        self.topics["all"]((1.0, {"action": "remove-worker", "worker": address}))

    def worker(self, address: str, clock: Clock) -> FakeDaskWorker:
        """The session that was opened last in a worker."""
        return FakeDaskWorker(self, address, clock)

    def last_call(self, address: str) -> Call:
        return [call for call in self.calls if call.address == address][-1]


class FakeDaskWorker:
    """A session in a worker, whose part a test plays."""

    def __init__(self, cluster: FakeCluster, address: str, clock: Clock) -> None:
        self._cluster = cluster
        self._address = address
        opening = next(call for call in reversed(cluster.calls) if call.address == address and _is_opening(call))
        self.lease = opening.future
        self.config = msgspec.json.decode(opening.arguments[0], type=WorkerConfig)
        self._number = 0
        config = self.config
        self._stream = Sequencer(clock, source=config.source, run=config.run, epoch=config.epoch, host=config.host)
        self.publish(ev.WorkerStarted(ev.Device(config.device_key), 1, True))

    def publish(self, event: ev.Fact) -> None:
        """Publish an event on the run's topic."""
        self._cluster.topics[topic_of(self.config.run)]((1.0, [encode(self._stream.next_envelope(event))]))

    def request(self, *settled: Settled, unable: Unable | None = None) -> None:
        """Make a request: the reply to the last call."""
        self.reply(encode_request(Request("", 0, 0, self.count(), settled, unable)))

    def reply(self, outcome: object) -> None:
        """Resolve the last call."""
        self._cluster.last_call(self._address).resolve(outcome)

    @property
    def is_answered(self) -> bool:
        """Whether its last request has been answered."""
        return decode_answer(self._cluster.last_call(self._address).arguments[1]).number == self._number

    @property
    def task(self) -> Task | None:
        """The file that it was given; None: it was told that there are no more."""
        answer = decode_answer(self._cluster.last_call(self._address).arguments[1])
        assert answer.number == self._number
        return answer.tasks[0] if answer.tasks else None

    def start(self) -> Task:
        """Start the file that it was given."""
        task = self.task
        assert task is not None
        self.publish(ev.FileStarted(self.config.device_key, task.file, task.attempt))
        return task

    def complete(self, job: RunJob) -> None:
        """Work on the file that it was given, and report that."""
        self.request(self._done(job, self.start()))

    def complete_task(self, job: RunJob, task: Task, call: Call) -> None:
        """Work on a file that Dask has brought, and report that as the result of this task."""
        config = self.config
        request = Request("", config.slot, config.epoch, self.count(), (self._done(job, task),))
        call.resolve(encode_request(request))

    def count(self) -> int:
        """Count one more request."""
        self._number += 1
        return self._number

    def _done(self, job: RunJob, task: Task) -> Settled:
        done = attempt(job, task, Disk())
        event = ev.FileCompleted(self.config.device_key, task.file, task.attempt, done.sequences, 1.0)
        frame = encode(self._stream.next_envelope(event))
        return Settled(frame, done.manifest.size_bytes, done.manifest.digest, input_digest=done.input_digest)


def _is_opening(call: Call) -> bool:
    return isinstance(call.arguments[0], bytes)


def member(name: str, *, nanny: str = "", host: str = "vm", boot: str | None = None) -> Member:
    """A worker without a GPU, by default on this machine."""
    return Member(name, nanny, host, boot_id() if boot is None else boot, 1, None, "")
