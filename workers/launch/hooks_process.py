"""The process that calls the user's commands for what happens in a run. The run does not depend on it.

It is a monitor of its own, in a session of its own: it calls them also when the terminal has closed, or the
launcher was killed.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import sleep

from virnucpro_bus.system.child_process import self_command

FINISH_SECONDS = 200.0
"""How long the launcher waits for it: commands for a failure, for a stall and for the end have 60 s each."""
_POLL_SECONDS = 0.02


class HooksProcess:
    """Calls commands for one run. For one thread."""

    def __init__(self, commands: Mapping[str, Sequence[str]], report: Callable[[str], object]) -> None:
        """`commands` are the words of each by "end", "failure" and "stall"; without any there is no process.

        `report` gets what they print and what is wrong with them, a line each.
        """
        self._commands = commands
        self._report = report
        self._process: subprocess.Popen[bytes] | None = None
        self._unfinished = b""

    def start(self, run_dir: Path, interval_seconds: float) -> None:
        """Start it for the run in `run_dir`, whose bus is open. Raises OSError."""
        if not self._commands:
            return
        command = self_command("monitor", str(run_dir), "--launched", "--interval", str(interval_seconds))
        for name, words in self._commands.items():
            command += [f"--on-{name}", shlex.join(words)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)

    def poll(self) -> None:
        """Report what it has printed."""
        if self._process is None or self._process.stderr is None:
            return
        while part := self._process.stderr.read(4096):
            *lines, self._unfinished = (self._unfinished + part).split(b"\n")
            for line in lines:
                self._report(line.decode(errors="replace").removeprefix("virnucpro-bus: "))

    def finish(self, status: int) -> None:
        """Let it know that all of the run is done, with this exit status, and wait until its commands have ended.

        It is left to itself after FINISH_SECONDS, and on Ctrl-C.
        """
        process = self._process
        if process is None or process.stdin is None or process.stderr is None:
            return
        with suppress(OSError), process.stdin:
            process.stdin.write(str(status).encode())
        try:
            for _ in range(round(FINISH_SECONDS / _POLL_SECONDS)):
                has_ended = process.poll() is not None
                self.poll()
                if has_ended:
                    break
                sleep(_POLL_SECONDS)
            else:
                self._report("the commands of --on-... have not ended; they are left to themselves")
        except KeyboardInterrupt:
            self._report("the commands of --on-... are left to themselves")
        process.stderr.close()
        self._process = None
