"""A session: one run's job in a worker of a Dask cluster, from its loading to its last file.

The job runs in a thread of its own, the same for all files, with the code of every other worker
(process/worker.py); only its channel differs. A Dask task passes each answer in, and takes the request that
follows out. The session is opened by a task too, and lasts while Dask keeps that task's result: when the launcher
releases it, or dies, Dask has the worker forget it, and the job's thread ends after its current file.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from distributed import WorkerPlugin
from msgspec.structs import replace

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.dask.host_sampler import HostSampler
from virnucpro_bus.dask.topic import TopicOutbox, topic_of
from virnucpro_bus.errors import ChannelError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.system.console import say
from workers.dask.member.claims import Claim, claim
from workers.dask.member.own_worker import LOG_VARIABLE
from workers.jobs.loader import SHELL_PREFIX
from workers.process.failure_reason import log_traceback
from workers.process.worker import Worker
from workers.protocol import (
    Answer,
    Request,
    Settled,
    Task,
    Unable,
    WorkerConfig,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)

OPENING_SECONDS = 30.0
"""Time for the worker's event loop to take the session in."""
_FREED = ("released", "forgotten")
_ENDED = b""


class Exchange:
    """A channel between two threads: the job's asks, a Dask task answers. Each side waits for the other."""

    def __init__(self, slot: int, epoch: int) -> None:
        """`slot` and `epoch` are those of the worker, for its requests."""
        self._worker = (slot, epoch)
        self._turn, self._opening = threading.Lock(), threading.Lock()
        self._first: bytes | None = None
        """The first request, once it was made."""
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._number = 0
        self._last_reply = _ENDED

    def ask(self, settled: Sequence[Settled] = (), unable: Unable | None = None) -> Answer:
        """Report what was settled, and wait for the answer. Raises ChannelError once it is closed."""
        self._number += 1
        self._requests.put(encode_request(Request("", *self._worker, self._number, tuple(settled), unable)))
        while (raw := self._answers.get()) is not None:
            answer = decode_answer(raw)
            if answer.number == self._number:
                return answer
        raise ChannelError("the launcher has ended this session")

    def step(self, answer: bytes) -> bytes:
        """Pass an answer in, b"" for none yet; return the request that follows, b"" when the thread has ended.

        Dask may run a task twice: the second time, what the first has returned is returned again.
        """
        if not answer:
            return self._first_request()
        if decode_answer(answer).number < self._number:
            return self._last_reply
        self._answers.put(answer)
        self._last_reply = self._requests.get()
        return self._last_reply

    def turn(self, task: Task | None, claim: Callable[[int], bool] = lambda _: True) -> bytes:
        """Have the job's thread work on a task, None: on no more; return the request that follows.

        Waits until the job is loaded, and for earlier callers. `claim` is asked then, with the number of this
        turn. b"": it has refused, or the thread has ended.
        """
        with self._turn:
            # Dask may bring a file before it has the request for the first one taken out.
            first = self._first_request()
            is_over = _ENDED in (first, self._last_reply) or decode_request(first).unable is not None
            if is_over or not claim(self._number):
                return _ENDED
            self._answers.put(encode_answer(Answer(self._number, None if task is None else (task,))))
            self._last_reply = self._requests.get()
            return self._last_reply

    def _first_request(self) -> bytes:
        """Return the request for the first file; wait for it while the job is loaded."""
        with self._opening:
            if self._first is None:
                self._first = self._last_reply = self._requests.get()
            return self._first

    def close(self) -> None:
        """End the waiting of the job's thread, now or when it asks next."""
        self._answers.put(None)

    def end(self) -> None:
        """Tell the other side that the job's thread asks no more."""
        self._requests.put(_ENDED)


class Session(WorkerPlugin):
    """One run's job in this process, and its stream of events."""

    def __init__(self, config: bytes, folder: bytes, sampler: str, worker: Any, lease: str) -> None:
        """`config` is a WorkerConfig as JSON, `folder` the launcher's current folder, where its modules may be.

        `sampler` is the source of the samples of this machine's GPUs, which one of its workers publishes; "": none
        does. The session lasts as long as the result of the task `lease`.
        """
        self._config = msgspec.json.decode(config, type=WorkerConfig)
        self._folder = os.fsdecode(folder)
        self._sampler = sampler
        self._worker = worker
        self._lease = lease
        self._exchange = Exchange(self._config.slot, self._config.epoch)
        self._name = topic_of(self._config.run)
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)

    def join(self) -> None:
        """Take the session into the worker, in place of an earlier one of the run, and start loading the job."""
        adding = self._worker.plugin_add(plugin=self, name=self._name, catch_errors=False)
        asyncio.run_coroutine_threadsafe(adding, self._worker.loop.asyncio_loop).result(OPENING_SECONDS)
        self._thread.start()

    def step(self, answer: bytes) -> bytes:
        """Return the request that follows an answer, as Exchange.step does."""
        return self._exchange.step(answer)

    def turn(self, answer: bytes) -> bytes:
        """Work on the task in an answer that Dask has brought here; return the request that follows.

        b"": nothing was done, because another worker has begun the task, or this session works no more.
        """
        tasks, config = decode_answer(answer).tasks, self._config
        if not tasks:
            return self._exchange.turn(None)
        (task,) = tasks
        output, stolen_from = task.output, task.stolen_from
        is_stolen = stolen_from not in (None, config.device_key)
        # The launcher replaces the time, if Dask has reported it.
        stolen_at_ns = SystemClock().wall_ns() if is_stolen else 0
        task = replace(task, stolen_from=stolen_from if is_stolen else None, stolen_at_ns=stolen_at_ns)
        return self._exchange.turn(task, lambda number: claim(output, Claim(config.source, config.epoch, number)))

    def transition(self, key: str, start: str, finish: str, **more: Any) -> None:
        """Leave the worker when Dask forgets the lease. Called by Dask at each change of a task, in its loop."""
        if key == self._lease and finish in _FREED:
            self._exchange.close()
            self._worker.loop.add_callback(self._leave)

    def teardown(self, worker: Any) -> None:
        """End the job's thread after its current file. Called by Dask when the worker closes, or we leave."""
        self._exchange.close()

    async def _leave(self) -> None:
        if self._worker.plugins.get(self._name) is self:
            await self._worker.plugin_remove(name=self._name)

    def _run(self) -> None:
        """Work until the launcher has no more files, or ends the session. The job's thread."""
        config = self._config
        device = Device(config.device_key, config.device_name, config.device_index, config.device_label)
        try:
            if config.target is None and not config.job.startswith(SHELL_PREFIX):
                _admit(self._folder)
            with self._sampling(), self._publisher(config.source, device) as bus:
                Worker(config, bus, self._exchange, lambda: 0, os.environ.get(LOG_VARIABLE)).work()
        except ChannelError as error:
            say(f"{config.source}: {error}")
        except BaseException as error:  # what a job has left behind, such as a broken standard stream
            log_traceback(error)
        finally:
            self._exchange.end()

    @contextmanager
    def _sampling(self) -> Iterator[None]:
        """Have the GPUs of this machine sampled meanwhile, if that is wanted and no other worker does."""
        if not self._sampler:
            yield
            return
        sampler = HostSampler(self._config.run, lambda: self._publisher(self._sampler), SystemClock())
        try:
            yield
        finally:
            sampler.stop()

    def _publisher(self, source: str, device: Device | None = None) -> Publisher:
        config, outbox = self._config, TopicOutbox(self._worker, self._name)
        return Publisher(
            device=device,
            source=source,
            epoch=config.epoch,
            run=config.run,
            host=config.host,
            loading=device is not None,
            outbox=outbox,
            measures=device is not None,
        )


def _admit(folder: str) -> None:
    """Let the job's modules be found that lie beside where the run was started, if this machine has the folder."""
    if os.path.isdir(folder) and folder not in sys.path:
        sys.path.insert(0, folder)
