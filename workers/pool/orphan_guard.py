"""Ends what workers leave behind, and the orphan guard: a process that does so when their launcher has died.

A worker dies with its launcher (process/parent_watch.py), but processes that its job has started do not, and may
hold a GPU. Only a process that runs no user code can be relied on to end them. This is that process's program, and
`guard_process.py` the launcher's side of it. The launcher sends the workers over the guard's standard input, whose
end means that the launcher has died.

A worker's processes are its process group and, because a process can leave that, all that have inherited its mark,
an environment variable.

Imports little, because it is started while the first workers are, and would take processor time from them.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable

MARK_VARIABLE = "VIRNUCPRO_WORKER"
"""The environment variable with the mark of a worker, which is that of no other process of this machine."""
STARTED, ENDED = b"+", b"-"
"""How the lines begin that the guard reads: a worker has been started, or has ended."""


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


def guard(launcher: Iterable[bytes]) -> None:
    """Keep the list of workers until the launcher's pipe ends; then kill those that are left."""
    marks: dict[int, str] = {}
    for line in launcher:
        group, _, mark = line[1:].decode().strip().partition(" ")
        if line.startswith(STARTED):
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
