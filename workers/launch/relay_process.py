"""The relay process that lets a run be watched from other machines, and what it has to say."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import sleep

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.remote.serve import ANNOUNCEMENT
from virnucpro_bus.system.child_process import self_command, stop

START_SECONDS = 10.0
FAREWELL_SECONDS = 7.0
_STEP_SECONDS = 0.02
_PREFIX = "virnucpro-bus: "


class RelayProcess:
    """Runs beside the launcher, which passes on what it says; the run does not need it. One thread."""

    def __init__(self, clock: Clock, tell: Callable[[str], object]) -> None:
        """`tell` is told, in a line, who was refused, and when it has ended."""
        self._clock = clock
        self._tell = tell
        self._process: subprocess.Popen[bytes] | None = None
        self._said = b""

    def start(self, run_dir: Path, address: str) -> str:
        """Start it and wait until it listens; returns how it can be watched, in a line.

        Raises AddressError, with its own reason, when it cannot.
        """
        command = self_command("relay", str(run_dir), "--listen", address)
        # A group of its own: Ctrl-C is for the launcher, and viewers are to see the end of the run.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0
        )
        if process.stdout is not None:
            os.set_blocking(process.stdout.fileno(), False)
        self._process = process
        deadline_ns = self._clock.mono_ns() + int(START_SECONDS * NANOSECONDS)
        lines: list[str] = []
        while not (listens := any(line.startswith(ANNOUNCEMENT) for line in lines)):
            ended = process.poll() is not None or self._clock.mono_ns() > deadline_ns
            lines += self._lines()
            if ended:
                break
            sleep(_STEP_SECONDS)
        if not listens:
            self.stop()
            raise AddressError(lines[-1] if lines else f"{address}: the relay did not start")
        return lines[-1]

    def poll(self) -> None:
        """Pass on what it has said; notice its end."""
        if self._process is None:
            return
        for line in self._lines():
            self._tell(line)
        if self._process.poll() is not None:
            self.stop()
            self._tell("the relay has ended; the run goes on, but cannot be watched from other machines any more")

    def stop(self) -> None:
        """Let it deliver the end of the run, and end it. Safe to call twice."""
        if self._process is not None:
            stop(self._process, FAREWELL_SECONDS)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def _lines(self) -> list[str]:
        """The whole lines that it has written since the last call."""
        if self._process is not None and self._process.stdout is not None:
            try:
                while piece := os.read(self._process.stdout.fileno(), 1 << 16):
                    self._said += piece
            except BlockingIOError:
                pass
        *lines, self._said = self._said.split(b"\n")
        return [line.decode(errors="replace").removeprefix(_PREFIX).removeprefix("# ") for line in lines]
