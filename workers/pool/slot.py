"""A slot of the pool: one device, its worker process, and the record of the processes before it."""

from __future__ import annotations

import os
import secrets
import signal
from dataclasses import dataclass
from pathlib import Path

import msgspec

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.system.child_process import describe_status
from workers.desk.seat import Seat, delay_ns
from workers.pool.environment import worker_environment
from workers.pool.orphan_guard import MARK_VARIABLE, kill_marked
from workers.pool.zygote import Fork, WorkerProcess
from workers.protocol import Answer, Request, WorkerConfig
from workers.schedule.blame import Loss

TERM_SECONDS = 1.0
"""Time between SIGTERM and SIGKILL."""
UNKILLABLE_SECONDS = 5.0
"""A process that is still there so long after SIGKILL hangs inside the kernel, such as in a GPU driver. It runs no
more code, but may never end."""


@dataclass(frozen=True)
class Ending:
    """Why a process is being ended, and when it is killed."""

    loss: Loss
    reason: str
    kill_at_ns: int
    output: str | None
    """The results folder of the attempt to blame; None if there was no attempt."""


@dataclass
class Slot(Seat):
    """A seat whose workers are processes, and the state of the requests and answers between us. For one thread."""

    process: WorkerProcess | None = None
    unkillable: WorkerProcess | None = None
    """A process that was given up; the device is retired then."""
    mark: str = ""
    """What distinguishes the process and all that it has started from others (`orphan_guard.py`)."""
    peer: bytes = b""
    """The process's address on the channel; empty until its first request."""
    pending: Request | None = None
    """A request that has not been answered yet."""
    last_answer: Answer | None = None
    """Kept because a request may arrive twice."""
    restart_at_ns: int = 0
    failed_starts: int = 0
    """How often in a row the system has refused to start a process."""
    dismissal_ends_ns: int = 0
    """When a process that was dismissed, and is still running, is killed."""
    was_killed: bool = False
    """Whether the last process was ended by SIGKILL, and not by us."""
    ending: Ending | None = None
    """None while the process is not being ended."""

    @property
    def dismissed(self) -> bool:
        """Whether the last answer to the process was that there are no more files."""
        return self.last_answer is not None and self.last_answer.tasks is None

    def spawn(self, config: WorkerConfig, log: Path, threads: int, fork: Fork) -> None:
        """Start a worker with `config`, whose epoch must be one more than the last. Raises OSError.

        `threads` are those of each numerical library in it.
        """
        self.mark = secrets.token_hex(8)
        environment = worker_environment(os.environ, self.device.key, threads) | {MARK_VARIABLE: self.mark}
        self.process = fork(environment, log)
        self.epoch, self.failed_starts = config.epoch, 0
        self.peer, self.pending, self.last_answer, self.ending = b"", None, None, None
        if self.process.stdin is not None:
            try:
                # The pipe stays open: its end shows the worker that the launcher has died, or ends it.
                self.process.stdin.write(msgspec.json.encode(config) + b"\n")
                self.process.stdin.flush()
            except BrokenPipeError:
                pass  # it has died already, which `reap` detects

    def note_failed_start(self, now_ns: int) -> None:
        """Record that the system has refused to start a process: the next attempt is later."""
        self.failed_starts += 1
        self.restart_at_ns = now_ns + delay_ns(self.failed_starts)

    def reap(self) -> str | None:
        """If the process has ended, kill what it has left, and return how it ended; None while it is running."""
        process = self.process
        if process is None or os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        # It has not been waited for yet, so no other process or group can have its id.
        self.signal(signal.SIGKILL)
        kill_marked(self.mark)
        return self._describe_end(process.wait())

    def end(self, loss: Loss, reason: str, now_ns: int) -> None:
        """Begin to end the process and its children, unless that has begun. `reap` reports when it has ended."""
        if self.process is not None and self.ending is None:
            self.ending = Ending(loss, reason, now_ns + int(TERM_SECONDS * NANOSECONDS), self.output)
            # SIGTERM counts only after that, because one from outside may reach all processes of a run.
            self._close_pipe()
            self.signal(signal.SIGTERM)

    def kill_if_due(self, now_ns: int) -> None:
        """Kill a process that was to end and has not done so in time."""
        if self.ending is not None and now_ns >= self.ending.kill_at_ns:
            self.signal(signal.SIGKILL)

    def is_unkillable(self, now_ns: int) -> bool:
        """Whether the process has been killed, but does not end."""
        return self.ending is not None and now_ns >= self.ending.kill_at_ns + UNKILLABLE_SECONDS * NANOSECONDS

    def give_up(self) -> int:
        """Wait for the process no longer, and start no other; return its id."""
        assert self.process is not None
        kill_marked(self.mark)
        self.unkillable, self.process, self.retired = self.process, None, True
        return self.unkillable.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and to all that it has started: it leads a process group of its own."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass

    def _close_pipe(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass  # it died before it read its configuration

    def _describe_end(self, status: int) -> str:
        """Forget a process that has ended; return how it ended."""
        self._close_pipe()
        self.process = None
        self.was_killed = status == -signal.SIGKILL and self.ending is None
        return describe_status(status)
