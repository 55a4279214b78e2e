"""Locks on files, signed with the holder's pid. The kernel lets go of them when a process ends."""

from __future__ import annotations

import fcntl
import os


def holder_or_lock(descriptor: int) -> str | None:
    """Lock an open file and sign it with our pid, without waiting; returns who holds it, None: now we do.

    The holder is a pid, or "unknown" while it has not signed yet.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return None
