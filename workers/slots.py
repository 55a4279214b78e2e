"""One device's place in the pool: the process that works on it, and what has become of those before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events import Device
from virnucpro_bus.processes import start_quietly
from workers.channel import Answer, Request, WorkerConfig
from workers.coordinator import Assignment

DEATHS_UNTIL_RETIREMENT = 3
FIRST_DELAY_SECONDS = 0.25
LONGEST_DELAY_SECONDS = 5.0
_LOOK_SECONDS = 0.01


@dataclass
class DeathRecord:
    """What a device's workers have died on since it last settled a file: is it the device, or a file?"""

    deaths: int = 0
    without_file: int = 0
    files: set[str] = field(default_factory=set)

    def note(self, file: str | None) -> bool:
        """A worker has died with `file` in hand (None: before it had one). True when the device is to be retired.

        Three different files, or three deaths without any: that is the device. One file three times is the file.
        """
        self.deaths += 1
        if file is None:
            self.without_file += 1
        else:
            self.files.add(file)
        return max(self.without_file, len(self.files)) >= DEATHS_UNTIL_RETIREMENT

    def clear(self) -> None:
        """The device has settled a file."""
        self.deaths = self.without_file = 0
        self.files.clear()

    def delay_ns(self) -> int:
        """How long to wait before the next worker is started: at once the first time, then longer and longer."""
        if self.deaths <= 1:
            return 0
        return int(min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** (self.deaths - 2)) * NANOSECONDS)


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
        self.peer, self.waiting, self.answered = b"", None, None
        seen = "" if self.device.key.startswith("cpu:") else self.device.key
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": seen, "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-P", "-m", "workers.process"]
        self.process = start_quietly(command, log, environment=environment, stdin=subprocess.PIPE)
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

    def stop(self, seconds: float) -> str | None:
        """End the process and its children, by force after `seconds`. Says how it ended; None if there is none."""
        if self.process is None:
            return None
        self.signal(signal.SIGTERM)
        for _ in range(int(seconds / _LOOK_SECONDS)):
            ended = self.reap()
            if ended is not None:
                return ended
            threading.Event().wait(_LOOK_SECONDS)
        self.signal(signal.SIGKILL)
        return self._ended(self.process.wait())

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
