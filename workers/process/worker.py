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
from contextlib import closing, suppress
from pathlib import Path
from time import sleep
from typing import BinaryIO

import msgspec

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.device_keys import gpus_of
from virnucpro_bus.devices import has_gpu
from virnucpro_bus.errors import ChannelError, DoNotRetry
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.files.folders import grant_access
from virnucpro_bus.logs.attempt_logs import AttemptLogs
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.system.console import say
from workers.fault_injection import fault_point
from workers.jobs import JobContext, make_job
from workers.process.attempt import Performed, RunJob, begin, perform
from workers.process.channel import Channel
from workers.process.failure_reason import describe_failure, log_traceback
from workers.process.parent_watch import EXIT_ORPHANED, ParentWatch, end_with_parent
from workers.process.reporter import Asking, Reporter
from workers.process.termination import LauncherSignals
from workers.process.trouble import is_disk_full
from workers.process.turn import Failure, Turn, failure_of
from workers.protocol import Task, Unable, WorkerConfig, run_folder_of, to_path

SIGNAL_SECONDS = 0.05
"""A signal that is sent to all processes reaches this one so much later than those of the job, at most."""
_STANDARD_OUTPUT = 1


class Worker:
    """Runs the job on one file after another, until the launcher has no more. For one thread."""

    def __init__(
        self,
        config: WorkerConfig,
        bus: Publisher,
        channel: Asking,
        terminations: Callable[[], int],
        own_log: str | None = None,
    ) -> None:
        """`terminations` returns how many SIGTERM this process has ignored so far.

        `own_log` is the path of the log of this process, which is to be bounded; None: it has none in the run.
        """
        self._bus = bus
        self._terminations = terminations
        self._channel = channel
        self._config = config
        self._disk = Disk()
        self._logs = AttemptLogs(own_log)
        self._reporter = Reporter(channel, bus, config.device_key)
        self._turn: Turn | None = None
        """The file that the job is at."""
        gpus = gpus_of(config.device_key) if has_gpu(config.device_key) else ()
        devices = [f"cuda:{number}" for number in range(len(gpus))] or ["cpu"]
        self._context = JobContext(
            device=devices[0],
            devices=devices,
            device_key=config.device_key,
            options=config.options,
            on_progress=self._publish_progress,
            clock=SystemClock(),
        )

    def work(self) -> None:
        """Load the job, then process files until the launcher has no more; report a job that cannot be loaded."""
        with closing(self._logs):
            self._work()

    def _work(self) -> None:
        try:
            job = make_job(self._config.job, self._context, self._config.target)
        except Exception as error:
            log_traceback(error)
            self._channel.ask(unable=Unable(describe_failure(error), is_disk_full(error)))
            return
        self._bus.ready()
        fault_point("after_load", attempt=self._config.epoch)
        self._reporter.start()
        while (task := self._reporter.next_task()) is not None:
            fault_point("before_start", task.file, task.attempt)
            try:
                has_begun = begin(task)
            except OSError as error:
                self._reporter.finish(self._reporter.begin(task), failure_of(error, task))
                continue
            if has_begun:
                self._process(job, task)
        self._reporter.join()

    def _process(self, job: RunJob, task: Task) -> None:
        """Run the job on one file, and leave the rest to the reporter."""
        turn = self._turn = self._reporter.begin(task)
        fault_point("before_job", task.file, task.attempt)
        result: Performed | Failure
        with self._logs.of(run_folder_of(task), task.file, task.attempt):
            try:
                result = self._perform(job, task)
            except BaseException as error:
                # Any exception: SIGINT is ignored here, so even a KeyboardInterrupt was raised by the job.
                result = failure_of(error, task)
        self._reporter.finish(turn, result, self._context.warning)

    def _perform(self, job: RunJob, task: Task) -> Performed:
        """Run the job; again if a SIGTERM to all processes of the run may have made it fail.

        The launcher ends this process when there is no time left for that.
        """
        while True:
            terminations = self._terminations()
            try:
                return perform(job, task)
            except DoNotRetry:
                raise
            except BaseException as error:
                sleep(SIGNAL_SECONDS)
                if self._terminations() == terminations:
                    raise
                say(f"{task.file}: repeated after SIGTERM: {describe_failure(error)}")
                with suppress(OSError):
                    self._empty(to_path(task.output))

    def _empty(self, output: Path) -> None:
        """Remove what a job has left, and not the folder itself, which shows that the attempt has begun."""
        self._disk.make_folder(output)
        grant_access(os.fspath(output))
        for left in output.iterdir():
            self._disk.remove(left)

    def _publish_progress(self, sequences: int, total: int | None) -> None:
        turn = self._turn
        if turn is not None and turn.is_announced:
            self._bus.file_progress(turn.task.file, sequences, total=total, attempt=turn.task.attempt)


def _detach_standard_input() -> BinaryIO:
    """Return the pipe from the launcher, and give the job and the processes it starts an empty standard input."""
    pipe = os.fdopen(os.dup(0), "rb")
    with open(os.devnull, "rb") as empty:
        os.dup2(empty.fileno(), 0)
    return pipe


def main() -> None:
    """Read the configuration and work. The exit status is 0, or 1 when the launcher has died."""
    pipe, own_log = _detach_standard_input(), os.readlink(f"/proc/self/fd/{_STANDARD_OUTPUT}")
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
        measures=True,
    )
    try:
        Worker(config, bus, channel, lambda: signals.terminations, own_log).work()
    except ChannelError as error:
        say(f"worker {config.slot}: {error}")
        os._exit(1)
    bus.close()
    channel.close()
