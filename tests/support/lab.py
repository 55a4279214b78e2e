"""The real command in real processes: start it in a folder, wait for events, find what it leaves behind.

Whatever a Lab starts, and whatever that starts in turn, carries the lab's mark in its environment, so that no
process can hide: not in another group or session, not with another parent.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from virnucpro_bus.own_device import LOCAL_RANK_VARIABLES

COMMAND = str(Path(sys.executable).with_name("virnucpro-bus"))
WAIT_SECONDS = 30.0
LEFT_BEHIND_SECONDS = 15.0
"""A monitor whose hub was killed takes 10 s to give it up."""
_STEP_SECONDS = 0.02
# What would change how the command behaves, were it set where the tests are run.
_CLEARED = (
    *("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "CUDA_VISIBLE_DEVICES", *LOCAL_RANK_VARIABLES),
    *("SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS", "MKL_NUM_THREADS"),
)


def wait_until(true: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Return as soon as `true()` is; fail the test when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(_STEP_SECONDS)


class Started:
    """A process that was started, with its output in files."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str], log: Path) -> None:
        self._paths = log.with_suffix(".stdout"), log.with_suffix(".stderr")
        with self._paths[0].open("wb") as stdout, self._paths[1].open("wb") as stderr:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
            )
        self.pid = self.process.pid

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return self._paths[0].read_text()

    @property
    def output(self) -> bytes:
        """What it has printed so far, as it is."""
        return self._paths[0].read_bytes()

    @property
    def stderr(self) -> str:
        """What it has complained of so far."""
        return self._paths[1].read_text()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def until(self, true: Callable[[], object], what: str) -> None:
        """Wait until `true()`; fail the test at once when the process ends before that."""
        wait_until(lambda: true() or not self.running, what)
        assert true(), f"it has ended before ({self.process.poll()}): {what}\n{self.stderr}"

    def until_it_says(self, part: str) -> None:
        """Wait until `part` is on its stderr."""
        self.until(lambda: part in self.stderr, f"{part!r} on stderr")

    def until_it_shows(self, part: str) -> None:
        """Wait until `part` is on its stdout."""
        self.until(lambda: part in self.stdout, f"{part!r} on stdout")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = WAIT_SECONDS) -> int:
        """Its exit status, -N when signal N ended it."""
        return self.process.wait(seconds)

    def children(self) -> dict[int, list[str]]:
        """Command line of each child process, by pid."""
        found = {}
        for pid in _pids():
            try:
                parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
                command = os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")
            except OSError:
                continue
            if int(parent) == self.pid:
                found[pid] = command
        return found

    def child(self, word: str) -> int:
        """The pid of the child process that has `word` on its command line; waits for it."""
        found: list[int] = []

        def look() -> list[int]:
            found[:] = [pid for pid, command in self.children().items() if word in command]
            return found

        self.until(look, f"a child process {word!r}")
        return found[0]


class Lab:
    """A folder in which commands are run, and everything that was started there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mark = uuid4().hex
        self.environment = {name: value for name, value in os.environ.items() if name not in _CLEARED}
        self.environment["VIRNUCPRO_TEST_LAB"] = self._mark
        self._commands = 0
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        *arguments: str | Path,
        program: str | Path = COMMAND,
        prefix: Sequence[str] = (),
        **environment: str,
    ) -> Started:
        """Start `virnucpro-bus ARGUMENTS`, or a Python program, in the lab's folder.

        `prefix` is a command that runs the one after it in its place.
        """
        python = [sys.executable] if str(program).endswith(".py") else []
        started = Started(
            [*prefix, *python, str(program), *map(str, arguments)],
            self.folder,
            self.environment | environment,
            self.folder / f"command-{self._commands}",
        )
        self._commands += 1
        self.adopt(started.process)
        return started

    def adopt(self, process: subprocess.Popen[bytes]) -> None:
        """Also reap this one, at the end, if nobody else has."""
        self._processes.append(process)

    def run(self, *arguments: str | Path, program: str | Path = COMMAND, **environment: str) -> Started:
        """Start it and wait until it has ended; `wait()` tells how."""
        started = self.start(*arguments, program=program, **environment)
        started.wait(60)
        return started

    def processes(self) -> dict[int, str]:
        """Command line of every live process that came from here, by pid."""
        found = {}
        for pid in _pids():
            try:
                if self._mark.encode() in Path(f"/proc/{pid}/environ").read_bytes():
                    found[pid] = os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" "))
            except OSError:
                continue  # it has ended meanwhile, or is somebody else's
        return found

    def signal_all(self, number: signal.Signals) -> None:
        """Send the signal to every live process that came from here, as a batch system does."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def sockets(self) -> list[str]:
        """Local sockets below the folder on which somebody listens."""
        lines = Path("/proc/net/unix").read_text().splitlines()
        return sorted({line.split()[-1] for line in lines if f"{self.folder}/" in line})

    def left_behind(self) -> list[str]:
        """What is still there after everything had time to end. Ends what it finds."""
        deadline = time.monotonic() + LEFT_BEHIND_SECONDS
        while (found := [*self.processes().values(), *self.sockets()]) and time.monotonic() < deadline:
            time.sleep(_STEP_SECONDS)
        self.end_all()
        return found

    def end_all(self) -> None:
        """End by force all that came from here."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for process in self._processes:
            process.wait()


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())
