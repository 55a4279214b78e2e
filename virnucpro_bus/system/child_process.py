"""Processes of our own that run beside this one: started fresh (never forked), ended by their own id."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

STOP_SECONDS = 2.0
KILLED_SECONDS = 5.0
"""Much longer than the kernel takes to end a process, unless it hangs inside a driver."""


def self_command(*arguments: str) -> list[str]:
    """The command line of this very program with other arguments.

    -P keeps the current folder off the import path: a user's workers.py there must not stand in for ours.
    """
    return [sys.executable, "-P", "-m", "virnucpro_bus", *arguments]


def spawn_logged(
    command: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None, stdin: int | None = None
) -> subprocess.Popen[bytes]:
    """Start `command` in a process group of its own, with all it prints in `log`, so it can tear no screen.

    The group keeps a terminal's Ctrl-C away from it: who started it also decides when it ends.
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


def stop(process: subprocess.Popen[bytes], seconds: float = STOP_SECONDS) -> int:
    """Ask `process` to end, insist after `seconds`; returns its exit status. Safe on one that has ended.

    One that hangs inside a GPU driver cannot be ended by anybody: it is left behind after 5 s.
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
