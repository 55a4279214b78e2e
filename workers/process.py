"""A worker process: asks for files, runs the job on them, tells the bus. One process a device.

Started fresh as `python -m workers.process` with its configuration on standard input, which stays open: its end
means that the launcher has died, and the worker ends too. The device is chosen by environment variables that are
set before this process starts, so before any framework is imported.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.errors import ChannelError, UserError
from virnucpro_bus.events import Device, FileCompleted, FileFailed
from virnucpro_bus.publisher import Publisher
from virnucpro_bus.text import visible
from workers.channel import Channel, Settled, Task, Unable, WorkerConfig, to_path
from workers.jobs import JobContext, make_job
from workers.parent import ParentWatch

RunJob = Callable[[Path, Path], int]


class Worker:
    """The worker's main thread."""

    def __init__(self, config: WorkerConfig, bus: Publisher, channel: Channel) -> None:
        self._bus = bus
        self._channel = channel
        self._config = config
        self._clock = SystemClock()
        self._task: Task | None = None
        device = "cpu" if config.device_key.startswith("cpu:") else "cuda:0"
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
            self._channel.ask(Unable(_in_one_line(error)))
            return
        answer = self._channel.ask()
        while answer.task is not None:
            event = self._do(job, answer.task)
            frame = self._bus.stamp(event)
            answer = self._channel.ask(Settled(frame))
            # Only now is it sent: an event that is on the bus has been accepted, whatever happens to this process.
            if answer.refusal is None:
                self._bus.send_stamped(frame, event)
            else:
                failure = FileFailed(
                    event.device, event.file, event.attempt, answer.refusal, event.duration_seconds
                )
                self._bus.send_instead(frame, failure)

    def _do(self, job: RunJob, task: Task) -> FileCompleted | FileFailed:
        """Work on one file; says how it ended."""
        bus = self._bus
        self._task = task
        if task.stolen_from is not None:
            bus.work_stolen(
                source=task.stolen_from, file=task.file, attempt=task.attempt, stolen_at_ns=task.stolen_at_ns
            )
        bus.file_started(task.file, attempt=task.attempt)
        started_ns = self._clock.mono_ns()
        try:
            output = to_path(task.output)
            output.mkdir()
            sequences = job(to_path(task.path), output)
            if not output.is_dir():
                raise UserError("the job has removed its output folder")
        except (Exception, SystemExit) as error:
            if not isinstance(error, UserError):
                traceback.print_exc()
            seconds = (self._clock.mono_ns() - started_ns) / 1e9
            return FileFailed(self._config.device_key, task.file, task.attempt, _in_one_line(error), seconds)
        seconds = (self._clock.mono_ns() - started_ns) / 1e9
        return bus.completion(task.file, sequences=sequences, duration_seconds=seconds, attempt=task.attempt)

    def _progressed(self, sequences: int) -> None:
        if self._task is not None:
            self._bus.file_progress(self._task.file, sequences, attempt=self._task.attempt)


def _in_one_line(error: BaseException) -> str:
    """What went wrong, for a person: our own errors are sentences, others are named by their type."""
    text = visible(" ".join(str(error).split()))
    if isinstance(error, UserError):
        return text[:1000]
    return f"{type(error).__name__}: {text}"[:1000] if text else type(error).__name__


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
    launcher = ParentWatch(_take_standard_input())
    config = msgspec.json.decode(launcher.first_line(), type=WorkerConfig)
    launcher.start()
    device = Device(config.device_key, config.device_name, config.device_index)
    channel = Channel(config, launcher.alive)
    bus = Publisher(config.publish, device=device, source=config.source, epoch=config.epoch, run=config.run)
    try:
        Worker(config, bus, channel).work()
    except ChannelError as error:
        print(f"worker {config.slot}: {error}", file=sys.stderr)
        os._exit(1)
    bus.close()
    channel.close()


if __name__ == "__main__":
    main()
