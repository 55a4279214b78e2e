"""The orphan guard: a process that ends the process groups of all workers when their launcher has died.

A worker dies with its launcher (process/parent_watch.py), but processes that its job has started do not, and may
hold a GPU. Only a process that runs no user code can be relied on to end them. This file is both that process's
program and, as `OrphanGuard`, the launcher's side of it. The launcher sends the groups over the guard's standard
input, whose end means that the launcher has died.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import BinaryIO

END_SECONDS = 2.0
"""Time for the guard to end the groups that are left, and itself."""
_STARTED, _ENDED = b"+", b"-"


class OrphanGuard:
    """Starts the guard process and keeps its list of groups up to date. For one thread.

    It waits for the guard at its end only, 2 s at most, and the run continues without it if it dies.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        """Why there is no guard; None if it was started."""
        self._process: subprocess.Popen[bytes] | None = None
        try:
            # Run by path and isolated: the program imports nothing of ours, and so starts fast.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,
            )
        except OSError as error:
            self.problem = f"the orphan guard cannot be started: {error.strerror}"
        else:
            assert self._process.stdin is not None
            os.set_blocking(self._process.stdin.fileno(), False)

    def watch(self, group: int) -> None:
        """Have this process group ended if the launcher dies."""
        self._send(_STARTED, group)

    def forget(self, group: int) -> None:
        """Report that this process group has ended."""
        self._send(_ENDED, group)

    def close(self) -> None:
        """End the guard, and with it the groups that it still watches. Safe to call twice."""
        from virnucpro_bus.system.child_process import stop  # not for the program, which imports nothing of ours

        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            stop(self._process, 0)  # it was stopped from outside

    def _send(self, change: bytes, group: int) -> None:
        if self._process is None or self._process.stdin is None:
            return
        try:
            os.write(self._process.stdin.fileno(), b"%b%d\n" % (change, group))
        except (BlockingIOError, BrokenPipeError):
            pass  # the guard was stopped or killed from outside


def guard(launcher: BinaryIO) -> None:
    """Keep the list of groups until the launcher's pipe ends; then kill those that are left."""
    groups: set[int] = set()
    for line in launcher:
        group = int(line[1:])
        if line.startswith(_STARTED):
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    # It ends with its launcher, whatever is sent to all processes of the run.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    guard(sys.stdin.buffer)
