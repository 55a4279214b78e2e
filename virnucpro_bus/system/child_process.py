"""Child processes of this program that are started with exec, and ended by their own process id."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from virnucpro_bus.clock import NANOSECONDS, AttendedClock, SystemClock

STOP_SECONDS = 2.0
"""How long a process may take to end after SIGTERM."""
KILLED_SECONDS = 5.0
"""How long `stop` waits after SIGKILL: far longer than the kernel takes, unless a driver hangs."""
_POLL_SECONDS = 0.1


class Answer(NamedTuple):
    """What a process that was asked has written to its standard output, and its exit status."""

    output: bytes
    status: int


def self_command(*arguments: str) -> list[str]:
    """Return the command line that runs this program with `arguments`.

    -P keeps the current folder off the import path: a user's workers.py there must not replace the package.
    """
    return [sys.executable, "-P", "-m", "virnucpro_bus", *arguments]


def spawn_logged(
    command: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None, stdin: int | None = None
) -> subprocess.Popen[bytes]:
    """Start `command` in a process group of its own, with its stdout and stderr appended to the file `log`.

    So it cannot print into a screen, and a terminal's Ctrl-C does not reach it: only the caller ends it.
    `environment` None: that of this process. `stdin` is a descriptor; None: /dev/null. Raises OSError.
    """
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            process_group=0,
        )


def ask(
    command: Sequence[str],
    question: bytes,
    *,
    seconds: float = math.inf,
    stopped: Callable[[], bool] = lambda: False,
    environment: Mapping[str, str] | None = None,
) -> Answer:
    """Run `command` with `question` on its standard input, and return what it writes to its standard output.

    It has a process group of its own. Raises OSError if it cannot be started; and subprocess.TimeoutExpired, with
    the group killed, after `seconds` or once `stopped` returns true. `environment` None: that of this process.
    """
    # A file, not a pipe: `communicate` writes no more after its first timeout, and the process would wait.
    with open(os.memfd_create("question"), "w+b") as stdin:
        stdin.write(question)
        stdin.seek(0)
        process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=None if environment is None else dict(environment),
            process_group=0,
        )
    try:
        output = read_output(process, seconds, stopped)
        return Answer(output, process.returncode)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        stop(process, 0)
        if process.stdout is not None:
            process.stdout.close()


def read_output(
    process: subprocess.Popen[bytes], seconds: float, stopped: Callable[[], bool] = lambda: False
) -> bytes:
    """Wait until the process has ended, and return its standard output.

    Raises subprocess.TimeoutExpired after `seconds`, in which the time while we were suspended does not count, or
    once `stopped` returns true.
    """
    clock = AttendedClock(SystemClock())
    deadline_ns = clock.mono_ns() + seconds * NANOSECONDS
    while True:
        try:
            return process.communicate(timeout=_POLL_SECONDS)[0]
        except subprocess.TimeoutExpired:
            if clock.mono_ns() >= deadline_ns or stopped():
                raise


def stop(process: subprocess.Popen[bytes], seconds: float = STOP_SECONDS) -> int:
    """Send SIGTERM, after `seconds` SIGKILL, and return the exit status. Safe for a process that has ended.

    A process that hangs inside a GPU driver cannot be ended: after 5 s it is left behind, as if ended by SIGKILL.
    """
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    try:
        return process.wait(KILLED_SECONDS)
    except subprocess.TimeoutExpired:
        return -signal.SIGKILL


def describe_status(status: int) -> str:
    """Return how a process ended, to continue a sentence: "was killed by SIGKILL"."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
