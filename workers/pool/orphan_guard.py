"""Ends what workers leave behind, and the orphan guard: a process that does so when their launcher has died.

A worker dies with its launcher (process/parent_watch.py), but processes that its job has started do not, and may
hold a GPU. Only a process that runs no user code can be relied on to end them. This file is both that process's
program and, as `OrphanGuard`, the launcher's side of it. The launcher sends the workers over the guard's standard
input, whose end means that the launcher has died.

A worker's processes are its process group and, because a process can leave that, all that have inherited its mark,
an environment variable.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import BinaryIO

END_SECONDS = 2.0
"""Time for the guard to end the workers that are left, and itself."""
MARK_VARIABLE = "VIRNUCPRO_WORKER"
"""The environment variable with the mark of a worker, which is that of no other process of this machine."""
_STARTED, _ENDED = b"+", b"-"


class OrphanGuard:
    """Starts the guard process and keeps its list of workers up to date. For one thread.

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

    def watch(self, group: int, mark: str) -> None:
        """Have the worker of this process group and mark ended if the launcher dies."""
        self._send(b"%b%d %b\n" % (_STARTED, group, mark.encode()))

    def forget(self, group: int) -> None:
        """Report that the worker of this process group has ended."""
        self._send(b"%b%d\n" % (_ENDED, group))

    def close(self) -> None:
        """End the guard, and with it the workers that it still watches. Safe to call twice."""
        from virnucpro_bus.system.child_process import stop  # not for the program, which imports nothing of ours

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


def kill_marked(mark: str) -> None:
    """Kill every process with this mark, in whatever group or session.

    One whose environment was cleared or belongs to another user is not found.
    """
    entry = f"{MARK_VARIABLE}={mark}".encode()
    killed: set[int] = set()
    # Again as long as there are new ones: they may have been started meanwhile.
    while found := {pid for pid in _pids() if entry in _environment_of(pid)} - killed:
        for pid in sorted(found):  # a shell before its command, whose end it would report
            _kill_if_marked(pid, entry)
        killed |= found


def _kill_if_marked(pid: int, entry: bytes) -> None:
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return
    try:
        # Read again, now that the id cannot belong to another process unnoticed.
        if entry in _environment_of(pid):
            signal.pidfd_send_signal(process, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(process)


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) != os.getpid()]


def _environment_of(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def guard(launcher: BinaryIO) -> None:
    """Keep the list of workers until the launcher's pipe ends; then kill those that are left."""
    marks: dict[int, str] = {}
    for line in launcher:
        group, _, mark = line[1:].decode().strip().partition(" ")
        if line.startswith(_STARTED):
            marks[int(group)] = mark
        else:
            marks.pop(int(group), None)
    for number, mark in marks.items():
        try:
            os.killpg(number, signal.SIGKILL)
        except ProcessLookupError:
            pass
        kill_marked(mark)


if __name__ == "__main__":
    # It ends with its launcher, whatever is sent to all processes of the run.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    guard(sys.stdin.buffer)
