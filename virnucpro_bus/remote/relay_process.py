"""The relay process of a bus that can be watched from other machines, and the messages that it prints."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import sleep

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.system.child_process import self_command, stop

ANNOUNCEMENT = "serving; watch it with:"
"""Begins what the relay prints once it listens, for which the process that has started it waits."""
START_SECONDS = 10.0
DELIVERY_SECONDS = 7.0
"""Time for a relay to deliver the end of a run."""
_POLL_SECONDS = 0.02
_PREFIX = "virnucpro-bus: "


class RelayProcess:
    """Starts and ends the relay, and passes its messages on. For one thread.

    The bus does not depend on it.
    """

    def __init__(self, clock: Clock, notify: Callable[[str], object]) -> None:
        """`notify` is called with each line that the relay prints, such as a refused key, and at its end."""
        self._clock = clock
        self._notify = notify
        self._process: subprocess.Popen[bytes] | None = None
        self._unfinished_line = b""

    def start(self, run_dir: Path, address: str) -> str:
        """Start the relay and wait until it listens; return its line on how to connect.

        Raises AddressError, with the relay's own reason, when it cannot listen.
        """
        command = self_command("relay", str(run_dir), "--listen", address)
        # A group of its own: Ctrl-C is for our process, and viewers must still see the end of the run.
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        except OSError as error:
            raise AddressError(f"{address}: the relay cannot be started: {error.strerror}") from None
        if process.stdout is not None:
            os.set_blocking(process.stdout.fileno(), False)
        self._process = process
        deadline_ns = self._clock.mono_ns() + int(START_SECONDS * NANOSECONDS)
        lines: list[str] = []
        while not (is_listening := any(line.startswith(ANNOUNCEMENT) for line in lines)):
            is_over = process.poll() is not None or self._clock.mono_ns() > deadline_ns
            lines += self._read_lines()
            if is_over:
                break
            sleep(_POLL_SECONDS)
        if not is_listening:
            self._forget()
            raise AddressError(lines[-1] if lines else f"{address}: the relay did not start")
        return lines[-1]

    def poll(self) -> None:
        """Pass on the lines that it has printed; report its end."""
        if self._process is None:
            return
        for line in self._read_lines():
            self._notify(line)
        if self._process.poll() is not None:
            self._forget()
            self._notify("the relay has ended; the run continues, but cannot be watched from other machines")

    def stop(self, is_over: Callable[[], bool]) -> None:
        """End the relay, which delivers the end of the run until `is_over`. Safe to call twice."""
        if self._process is not None:
            self._process.terminate()
            while self._process.poll() is None and not is_over():
                sleep(_POLL_SECONDS)
        self._forget()

    def _forget(self) -> None:
        """End the process at once unless it has ended."""
        if self._process is not None:
            stop(self._process, 0)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def _read_lines(self) -> list[str]:
        """Return the complete lines that it has printed since the last call, without its prefixes."""
        if self._process is not None and self._process.stdout is not None:
            try:
                while piece := os.read(self._process.stdout.fileno(), 1 << 16):
                    self._unfinished_line += piece
            except BlockingIOError:
                pass
        *lines, self._unfinished_line = self._unfinished_line.split(b"\n")
        return [line.decode(errors="replace").removeprefix(_PREFIX).removeprefix("# ") for line in lines]
