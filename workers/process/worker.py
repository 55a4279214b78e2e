"""A worker process: asks for files, runs the job on them, tells the bus. One process a device.

Started fresh as `python -m workers.process.worker` with its configuration on standard input, which stays open: its
end means that the launcher has died, and the worker ends too. The device is chosen by environment variables that
are set before this process starts, so before any framework is imported.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import BinaryIO

import msgspec

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.devices import has_gpu
from virnucpro_bus.errors import ChannelError, InputError, UserError
from virnucpro_bus.events.vocabulary import Device, FileCompleted, FileFailed
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.system.disk import Disk
from virnucpro_bus.text import visible
from workers.fault_injection import fault_point
from workers.jobs import JobContext, make_job
from workers.process.attempt import RunJob, attempt, lacks_room, reason_of
from workers.process.channel import Channel
from workers.process.parent_watch import ParentWatch, end_with_parent
from workers.protocol import Settled, Task, Unable, WorkerConfig, to_path


class Worker:
    """The worker's main thread."""

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
            on_progress=self._progressed,
            clock=self._clock,
        )

    def work(self) -> None:
        """Load the job, then do files until there are no more."""
        try:
            job = make_job(self._config.job, self._context)
        except Exception as error:
            traceback.print_exc()
            self._channel.ask(Unable(reason_of(error)))
            return
        self._bus.ready()
        fault_point("after_load", attempt=self._config.epoch)
        answer = self._channel.ask()
        while (task := answer.task) is not None:
            fault_point("before_start", task.file, task.attempt)
            event, settled = self._do(job, task)
            fault_point("before_report", task.file, task.attempt)
            answer = self._channel.ask(settled)
            fault_point("after_report", task.file, task.attempt)
            # Only now is it sent: an event that is on the bus has been accepted, whatever happens to this process.
            if answer.refusal is None:
                self._bus.send_prepared(settled.frame, event)
            else:
                failure = self._failure(task, answer.refusal, event.duration_seconds, final=task.is_last)
                self._bus.send_prepared_as(settled.frame, failure)
            fault_point("after_send", task.file, task.attempt)

    def _do(self, job: RunJob, task: Task) -> tuple[FileCompleted | FileFailed, Settled]:
        """Work on one file; says how it ended, for the bus and for the launcher."""
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
            seconds = (self._clock.mono_ns() - started_ns) / 1e9
            # An input that cannot be used stays so, whoever tries it.
            final = task.is_last or isinstance(error, InputError)
            failed = self._failure(task, reason_of(error), seconds, final=final)
            full = lacks_room(error, to_path(task.output))
            return failed, Settled(bus.prepare(failed), disk_full=full)
        seconds = (self._clock.mono_ns() - started_ns) / 1e9
        event = bus.completion(task.file, sequences=done.sequences, duration_seconds=seconds, attempt=task.attempt)
        return event, Settled(bus.prepare(event), done.manifest.size_bytes, done.manifest.digest)

    def _failure(self, task: Task, reason: str, seconds: float, *, final: bool) -> FileFailed:
        return FileFailed(self._config.device_key, task.file, task.attempt, reason, seconds, final)

    def _progressed(self, sequences: int) -> None:
        if self._task is not None:
            self._bus.file_progress(self._task.file, sequences, attempt=self._task.attempt)


def _take_standard_input() -> BinaryIO:
    """The pipe from the launcher, out of reach of the job and of what it starts: for them the input is empty."""
    pipe = os.fdopen(os.dup(0), "rb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    return pipe


def main() -> None:
    """Read the configuration, work, and leave with exit status 0; 1 when the launcher has died."""
    # Ctrl-C and hang-up are for the launcher to act on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    end_with_parent()
    launcher = ParentWatch(_take_standard_input())
    config = msgspec.json.decode(launcher.first_line(), type=WorkerConfig)
    launcher.start()
    fault_point("after_start", attempt=config.epoch)
    device = Device(config.device_key, config.device_name, config.device_index)
    channel = Channel(config, launcher.alive)
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
