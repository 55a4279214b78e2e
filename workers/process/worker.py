"""A worker process: requests files, runs the job on them, publishes the outcomes. There is one for each device.

Started as `python -m workers.process.worker` with its configuration on standard input. The pipe stays open: when
it ends, the launcher has died, and the worker ends too. The device is chosen by environment variables that are set
before this process starts, so before any framework is imported.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import BinaryIO

import msgspec

from virnucpro_bus.clock import NANOSECONDS, SystemClock
from virnucpro_bus.devices import has_gpu
from virnucpro_bus.errors import ChannelError, InputError, UserError
from virnucpro_bus.events.vocabulary import Device, FileCompleted, FileFailed
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.system.disk import Disk
from virnucpro_bus.text import visible
from workers.fault_injection import fault_point
from workers.jobs import JobContext, make_job
from workers.process.attempt import RunJob, attempt
from workers.process.channel import Channel
from workers.process.failure_reason import describe_failure, is_disk_full
from workers.process.parent_watch import ParentWatch, end_with_parent
from workers.protocol import Settled, Task, Unable, WorkerConfig, to_path


class Worker:
    """Runs the job on one file after another, until the launcher has no more. For the process's main thread."""

    def __init__(self, config: WorkerConfig, bus: Publisher, channel: Channel) -> None:
        self._bus = bus
        self._channel = channel
        self._config = config
        self._clock = SystemClock()
        self._disk = Disk()
        self._task: Task | None = None
        device = "cuda:0" if has_gpu(config.device_key) else "cpu"
        self._context = JobContext(
            device=device,
            device_key=config.device_key,
            options=config.options,
            on_progress=self._publish_progress,
            clock=self._clock,
        )

    def work(self) -> None:
        """Load the job, then process files until the launcher has no more; report a job that cannot be loaded."""
        try:
            job = make_job(self._config.job, self._context)
        except Exception as error:
            traceback.print_exc()
            self._channel.ask(Unable(describe_failure(error)))
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
                failure = self._make_failure(task, answer.refusal, event.duration_seconds, final=task.is_last)
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
            done = attempt(job, task, self._disk)
        except (Exception, SystemExit) as error:
            if not isinstance(error, UserError):
                traceback.print_exc()
            seconds = (self._clock.mono_ns() - started_ns) / NANOSECONDS
            # An unusable input stays unusable, whichever worker tries it.
            final = task.is_last or isinstance(error, InputError)
            failed = self._make_failure(task, describe_failure(error), seconds, final=final)
            disk_full = is_disk_full(error, to_path(task.output))
            return failed, Settled(bus.prepare(failed), disk_full=disk_full)
        seconds = (self._clock.mono_ns() - started_ns) / NANOSECONDS
        event = bus.completion(task.file, sequences=done.sequences, duration_seconds=seconds, attempt=task.attempt)
        return event, Settled(
            bus.prepare(event), done.manifest.size_bytes, done.manifest.digest, input_digest=done.input_digest
        )

    def _make_failure(self, task: Task, reason: str, seconds: float, *, final: bool) -> FileFailed:
        return FileFailed(self._config.device_key, task.file, task.attempt, reason, seconds, final)

    def _publish_progress(self, sequences: int) -> None:
        if self._task is not None:
            self._bus.file_progress(self._task.file, sequences, attempt=self._task.attempt)


def _detach_standard_input() -> BinaryIO:
    """Return the pipe from the launcher, and give the job and the processes it starts an empty standard input."""
    pipe = os.fdopen(os.dup(0), "rb")
    with open(os.devnull, "rb") as empty:
        os.dup2(empty.fileno(), 0)
    return pipe


def main() -> None:
    """Read the configuration and work. The exit status is 0, or 1 when the launcher has died."""
    # The launcher acts on Ctrl-C and hang-up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    end_with_parent()
    launcher_watch = ParentWatch(_detach_standard_input())
    config = msgspec.json.decode(launcher_watch.first_line(), type=WorkerConfig)
    launcher_watch.start()
    fault_point("after_start", attempt=config.epoch)
    device = Device(config.device_key, config.device_name, config.device_index)
    channel = Channel(config, launcher_watch.alive)
    bus = Publisher(
        config.publish, device=device, source=config.source, epoch=config.epoch, run=config.run, loading=True
    )
    try:
        Worker(config, bus, channel).work()
    except ChannelError as error:
        print(f"worker {config.slot}: {visible(str(error))}", file=sys.stderr)
        os._exit(1)
    bus.close()
    channel.close()


if __name__ == "__main__":
    main()
