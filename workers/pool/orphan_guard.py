"""Ends the process groups of all workers when their launcher has died, whatever they are doing.

A worker dies with its launcher (parent.py), but what its job has started does not, and may hold a GPU. Only a
process that is not in anybody's job can be relied on to see to that: this file is both its program and, as
`OrphanGuard`, the launcher's side of it. It hears of the groups on its standard input, whose end tells it that the
launcher is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import BinaryIO

_BEGUN, _ENDED = b"+", b"-"


class OrphanGuard:
    """One thread. Never waits for the guard, and does without it if it dies."""

    def __init__(self) -> None:
        # Its own file, isolated: it needs nothing else, and is there at once.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        assert self._process.stdin is not None
        self._pipe = self._process.stdin.fileno()
        os.set_blocking(self._pipe, False)

    def watch(self, group: int) -> None:
        """A process group to end should we die."""
        self._say(_BEGUN, group)

    def forget(self, group: int) -> None:
        """That group has ended."""
        self._say(_ENDED, group)

    def close(self) -> None:
        """All groups have ended. Safe to call twice."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _say(self, what: bytes, group: int) -> None:
        try:
            os.write(self._pipe, b"%b%d\n" % (what, group))
        except (BlockingIOError, BrokenPipeError):
            pass  # somebody has stopped or killed it


def guard(launcher: BinaryIO) -> None:
    """Keep count of the groups until the launcher is gone; then end those that are left."""
    groups: set[int] = set()
    for line in launcher:
        group = int(line[1:])
        if line.startswith(_BEGUN):
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    guard(sys.stdin.buffer)
