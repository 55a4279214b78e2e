"""A worker process: requests files, runs the job on them, publishes the outcomes. There is one for each device.

Forked by the zygote (zygote.py) for pool/slot.py, with its configuration on standard input. The pipe stays open:
when it ends, the launcher has died or ends the worker. The device is chosen by environment variables that are set
before `main` is called, so before any framework is imported. The module of a user's job may hide ours from
`import` (system/own_packages.py), so all that is used after the job was loaded is imported at the top.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from time import sleep
from typing import BinaryIO, Protocol

import msgspec

from virnucpro_bus.clock import NANOSECONDS, SystemClock
from virnucpro_bus.device_keys import gpus_of
from virnucpro_bus.devices import has_gpu
from virnucpro_bus.errors import ChannelError, InputError, UserError
from virnucpro_bus.events.vocabulary import Device, FileCompleted, FileFailed
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.files.folders import remove_tree
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.system.console import say
from workers.fault_injection import fault_point
from workers.jobs import JobContext, make_job
from workers.process.attempt import Outcome, RunJob, attempt
from workers.process.channel import Channel
from workers.process.failure_reason import describe_failure, log_traceback
from workers.process.parent_watch import EXIT_ORPHANED, ParentWatch, end_with_parent
from workers.process.termination import LauncherSignals
from workers.process.trouble import find_trouble, is_disk_full
from workers.protocol import Answer, Settled, Task, Unable, WorkerConfig, to_path

SIGNAL_SECONDS = 0.05
"""A signal that is sent to all processes reaches this one so much later than those of the job, at most."""


class Asking(Protocol):
    """A worker's end of its way to the launcher."""

    def ask(self, settled: Settled | Unable | None = None) -> Answer:
        """Report what was settled, if anything; wait for the answer. Raises ChannelError if none will come."""
        ...


class Worker:
    """Runs the job on one file after another, until the launcher has no more. For one thread."""

    def __init__(
        self, config: WorkerConfig, bus: Publisher, channel: Asking, terminations: Callable[[], int]
    ) -> None:
        """`terminations` returns how many SIGTERM this process has ignored so far."""
        self._bus = bus
        self._terminations = terminations
        self._channel = channel
        self._config = config
        self._clock = SystemClock()
        self._disk = Disk()
        self._task: Task | None = None
        gpus = gpus_of(config.device_key) if has_gpu(config.device_key) else ()
        devices = [f"cuda:{number}" for number in range(len(gpus))] or ["cpu"]
        self._context = JobContext(
            device=devices[0],
            devices=devices,
            device_key=config.device_key,
            options=config.options,
            on_progress=self._publish_progress,
            clock=self._clock,
        )

    def work(self) -> None:
        """Load the job, then process files until the launcher has no more; report a job that cannot be loaded."""
        try:
            job = make_job(self._config.job, self._context, self._config.target)
        except Exception as error:
            log_traceback(error)
            self._channel.ask(Unable(describe_failure(error), is_disk_full(error)))
            return
        self._bus.ready()
        fault_point("after_load", attempt=self._config.epoch)
        answer = self._channel.ask()
        while (task := answer.task) is not None:
            fault_point("before_start", task.file, task.attempt)
            event, settled = self._process(job, task)
            fault_point("before_report", task.file, task.attempt)
            answer = self._channel.ask(settled)
            fault_point("after_report", task.file, task.attempt)
            # Sent only now: what is on the bus has been accepted by the launcher, whatever happens here.
            if answer.refusal is None:
                self._bus.send_prepared(settled.frame, event)
            else:
                reason, final = answer.refusal.reason, answer.refusal.is_final
                failure = self._make_failure(task, reason, event.duration_seconds, final=final)
                self._bus.send_prepared_as(settled.frame, failure)
            fault_point("after_send", task.file, task.attempt)

    def _process(self, job: RunJob, task: Task) -> tuple[FileCompleted | FileFailed, Settled]:
        """Process one file; return how it ended, for the bus and for the launcher."""
        bus = self._bus
        self._task = task
        if task.stolen_from is not None:
            bus.work_stolen(
                source=task.stolen_from, file=task.file, attempt=task.attempt, stolen_at_ns=task.stolen_at_ns
            )
        bus.file_started(task.file, attempt=task.attempt)
        started_ns = self._clock.mono_ns()
        fault_point("before_job", task.file, task.attempt)
        try:
            done = self._attempt(job, task)
        except BaseException as error:
            # Any exception: SIGINT is ignored here, so even a KeyboardInterrupt was raised by the job.
            if not isinstance(error, UserError):
                log_traceback(error)
            seconds = (self._clock.mono_ns() - started_ns) / NANOSECONDS
            trouble = find_trouble(error, task)
            # An unusable input stays unusable, whichever worker tries it.
            final = trouble is None and (task.is_last or isinstance(error, InputError))
            failed = self._make_failure(task, describe_failure(error), seconds, final=final)
            return failed, Settled(bus.prepare(failed), stop_reason=trouble)
        seconds = (self._clock.mono_ns() - started_ns) / NANOSECONDS
        event = bus.completion(task.file, sequences=done.sequences, duration_seconds=seconds, attempt=task.attempt)
        return event, Settled(
            bus.prepare(event),
            done.manifest.size_bytes,
            done.manifest.digest,
            warning=self._context.warning,
            input_digest=done.input_digest,
        )

    def _attempt(self, job: RunJob, task: Task) -> Outcome:
        """Run the attempt; again if a SIGTERM to all processes of the run may have made it fail.

        The launcher ends this process when there is no time left for that.
        """
        while True:
            terminations = self._terminations()
            try:
                return attempt(job, task, self._disk)
            except InputError:
                raise
            except BaseException as error:
                sleep(SIGNAL_SECONDS)
                if self._terminations() == terminations:
                    raise
                say(f"{task.file}: repeated after SIGTERM: {describe_failure(error)}")
                with suppress(OSError):
                    remove_tree(os.fspath(to_path(task.output)))

    def _make_failure(self, task: Task, reason: str, seconds: float, *, final: bool) -> FileFailed:
        return FileFailed(self._config.device_key, task.file, task.attempt, reason, seconds, final)

    def _publish_progress(self, sequences: int, total: int | None) -> None:
        if self._task is not None:
            self._bus.file_progress(self._task.file, sequences, total=total, attempt=self._task.attempt)


def _detach_standard_input() -> BinaryIO:
    """Return the pipe from the launcher, and give the job and the processes it starts an empty standard input."""
    pipe = os.fdopen(os.dup(0), "rb")
    with open(os.devnull, "rb") as empty:
        os.dup2(empty.fileno(), 0)
    return pipe


def main() -> None:
    """Read the configuration and work. The exit status is 0, or 1 when the launcher has died."""
    pipe = _detach_standard_input()
    launcher_watch = ParentWatch(pipe)
    line = launcher_watch.first_line()
    if not line:
        sys.exit(EXIT_ORPHANED)  # the launcher has died, or has no more use for this worker
    # Not before: until it has sent a line, the launcher need not be the parent (zygote.py).
    end_with_parent()
    config = msgspec.json.decode(line, type=WorkerConfig)
    signals = LauncherSignals(pipe.fileno())
    launcher_watch.start()
    fault_point("after_start", attempt=config.epoch)
    device = Device(config.device_key, config.device_name, config.device_index, config.device_label)
    channel = Channel(config, launcher_watch.alive)
    bus = Publisher(
        config.publish,
        device=device,
        source=config.source,
        epoch=config.epoch,
        run=config.run,
        host=config.host,
        loading=True,
    )
    try:
        Worker(config, bus, channel, lambda: signals.terminations).work()
    except ChannelError as error:
        say(f"worker {config.slot}: {error}")
        os._exit(1)
    bus.close()
    channel.close()
