"""One device's place in the pool: the process that works on it, and what has become of those before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.devices import has_gpu
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.system.child_process import spawn_logged
from workers.coordinator.coordinator import Assignment
from workers.protocol import Answer, Request, WorkerConfig
from workers.schedule.blame import Loss

FAILED_STARTS_UNTIL_RETIREMENT = 3
TERM_SECONDS = 1.0
"""How long a process that is to end has for it, before it is ended by force."""
FIRST_DELAY_SECONDS = 0.25
LONGEST_DELAY_SECONDS = 5.0


@dataclass
class DeathRecord:
    """How often a device's workers have died since it last settled a file; blame.py judges those with a file."""

    deaths: int = 0
    without_file: int = 0

    def note(self, *, with_file: bool) -> bool:
        """A worker has died. True when three have died before they had a file: the device is to be retired."""
        self.deaths += 1
        self.without_file += not with_file
        return self.without_file >= FAILED_STARTS_UNTIL_RETIREMENT

    def clear(self) -> None:
        """The device has settled a file."""
        self.deaths = self.without_file = 0

    def delay_ns(self) -> int:
        """How long to wait before the next worker is started: at once the first time, then longer and longer."""
        if self.deaths <= 1:
            return 0
        return int(min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** (self.deaths - 2)) * NANOSECONDS)


@dataclass(frozen=True)
class Ending:
    """Why we are ending a process, and when it is ended by force. `output` is that of the attempt to blame."""

    loss: Loss
    reason: str
    kill_at_ns: int
    output: str | None


@dataclass
class Slot:
    """One device, its process, and the conversation with it. One thread."""

    number: int
    device: Device
    epoch: int = 0
    """Counts the processes."""
    process: subprocess.Popen[bytes] | None = None
    peer: bytes = b""
    waiting: Request | None = None
    """A request that could not be answered yet."""
    refusal: str | None = None
    """Why what that request settled could not be taken over; None when it was."""
    answered: Answer | None = None
    """The last answer, for when it has to be given again."""
    assignment: Assignment | None = None
    output: str | None = None
    """The folder of the attempt's results."""
    deaths: DeathRecord = field(default_factory=DeathRecord)
    restart_at_ns: int = 0
    killed_at_ns: int = 0
    """When a process that has been dismissed, and is still there, is ended."""
    ending: Ending | None = None
    """None: its process may go on."""
    retired: bool = False

    @property
    def source(self) -> str:
        """The name of its stream on the bus."""
        return f"worker-{self.number}"

    @property
    def dismissed(self) -> bool:
        """Whether its process has been told that there is nothing more to do."""
        return self.answered is not None and self.answered.task is None

    def spawn(self, config: WorkerConfig, log: Path) -> None:
        """Start a process with `config`; its epoch must be one more than the last. Raises OSError."""
        self.epoch = config.epoch
        self.peer, self.waiting, self.answered, self.ending = b"", None, None, None
        seen = self.device.key if has_gpu(self.device.key) else ""
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": seen, "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-P", "-m", "workers.process.worker"]
        self.process = spawn_logged(command, log, environment=environment, stdin=subprocess.PIPE)
        if self.process.stdin is not None:
            try:
                # The pipe stays open: its end tells the worker that we are gone.
                self.process.stdin.write(msgspec.json.encode(config) + b"\n")
                self.process.stdin.flush()
            except BrokenPipeError:
                pass  # it has died already, which `reap` will find

    def reap(self) -> str | None:
        """If the process has ended, take its children with it and say how it ended; None while it lives."""
        process = self.process
        if process is None or os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        # Not reaped yet, so its id is still its own and that of its group.
        self.signal(signal.SIGKILL)
        return self._ended(process.wait())

    def end(self, loss: Loss, reason: str, now_ns: int) -> None:
        """Begin to end the process and its children, unless that has begun: `reap` says when it has ended."""
        if self.process is not None and self.ending is None:
            self.ending = Ending(loss, reason, now_ns + int(TERM_SECONDS * NANOSECONDS), self.output)
            self.signal(signal.SIGTERM)

    def insist(self, now_ns: int) -> None:
        """End by force what was to end, and has not in time."""
        if self.ending is not None and now_ns >= self.ending.kill_at_ns:
            self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Signal the process and all that it has started; it leads a group of its own."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass

    def _ended(self, status: int) -> str:
        if self.process is not None and self.process.stdin is not None:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass  # it died before it had read its configuration
        self.process = None
        if status >= 0:
            return f"ended with exit status {status}"
        try:
            return f"was killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"was killed by signal {-status}"
