"""Processes that nobody else reaps: in a container without an init process, PID 1 adopts every orphan in it."""

from __future__ import annotations

import os

from virnucpro_bus.system.process_state import ZOMBIE, read_stat

_STATE, _PARENT, _GROUP, _SESSION = 0, 1, 2, 3
"""Fields of /proc/PID/stat after the name."""


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
