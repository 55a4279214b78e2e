"""The launcher's side of the orphan guard (`orphan_guard.py`)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from virnucpro_bus.system.child_process import stop
from workers.pool import orphan_guard
from workers.pool.orphan_guard import ENDED, STARTED

END_SECONDS = 2.0
"""Time for the guard to end the workers that are left, and itself."""


class OrphanGuard:
    """Starts the guard process and keeps its list of workers up to date. For one thread.

    It waits for the guard at its end only, 2 s at most, and the run continues without it if it dies.
    """

    def __init__(self, warn: Callable[[str], object]) -> None:
        """`warn` is called with a line for the user if the guard cannot be started."""
        self._warn = warn
        self._process: subprocess.Popen[bytes] | None = None
        self._has_started = False
        """Whether it was started, or could not be."""

    def start(self) -> None:
        """Start the guard process, unless that was tried before."""
        if self._has_started:
            return
        self._has_started = True
        try:
            # Run by path and isolated: the program imports nothing of ours, and so starts fast.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", orphan_guard.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,
            )
        except OSError as error:
            self._warn(
                f"the orphan guard cannot be started: {error.strerror}; what a job has started may outlive a "
                "launcher that is killed"
            )
        else:
            assert self._process.stdin is not None
            os.set_blocking(self._process.stdin.fileno(), False)

    def watch(self, group: int, mark: str) -> None:
        """Have the worker of this process group and mark ended if the launcher dies."""
        self.start()  # not before: the first worker, which has no job yet, would wait for that
        self._send(b"%b%d %b\n" % (STARTED, group, mark.encode()))

    def forget(self, group: int) -> None:
        """Report that the worker of this process group has ended."""
        self._send(b"%b%d\n" % (ENDED, group))

    def close(self) -> None:
        """End the guard, and with it the workers that it still watches. Safe to call twice."""
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            stop(self._process, 0)  # it was stopped from outside

    def _send(self, change: bytes) -> None:
        if self._process is None or self._process.stdin is None:
            return
        try:
            os.write(self._process.stdin.fileno(), change)
        except (BlockingIOError, BrokenPipeError):
            pass  # the guard was stopped or killed from outside
