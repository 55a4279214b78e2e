"""Adopted processes: those whose parent has ended, and that have become our children.

In a container without an init process, PID 1 adopts every orphan in it; another process can adopt those below it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

from virnucpro_bus.system.process_state import ZOMBIE, read_stat

_PR_SET_CHILD_SUBREAPER = 36
_STATE, _PARENT, _GROUP, _SESSION = 0, 1, 2, 3
"""Fields of /proc/PID/stat after the name."""


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Adopt the processes below this one that become orphans inside the block, a short one. Raises OSError.

    What becomes an orphan by chance in that moment is adopted too, and stays a zombie until this process ends.
    """
    _set_subreaper(1)
    try:
        yield
    finally:
        _set_subreaper(0)


def _set_subreaper(value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def reap_adopted() -> None:
    """Reap the ended children that this process has adopted, and leave those that it has started to their owners.

    A process that we start leads a process group in our session; an orphan leads none, or one in a session of its
    own. (One that a shell with job control has started looks like ours, and stays.)
    """
    session = os.getsid(0)
    for entry in os.listdir("/proc"):
        if not entry.isdecimal() or (fields := read_stat(entry)) is None:
            continue
        if fields[_STATE] != ZOMBIE or int(fields[_PARENT]) != os.getpid():
            continue
        if int(fields[_GROUP]) != int(entry) or int(fields[_SESSION]) != session:
            os.waitpid(int(entry), os.WNOHANG)
