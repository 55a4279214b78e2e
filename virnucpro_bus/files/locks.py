"""Locks on open files, which the kernel releases when their holder ends, and what to do where there are none.

Some file systems have no locks (Lustre without `-o flock`, some FUSE ones), and others keep them on one host only.
`try_lock` never fails for that: it says so, and the caller decides what else shows that another process is there.
"""

from __future__ import annotations

import fcntl
import os
from enum import Enum

NO_LOCKS = "the file system has no locks"
"""For the notice about `Lock.UNSUPPORTED`."""


class Lock(Enum):
    """What became of an attempt to lock a file."""

    TAKEN = "taken"
    HELD = "held"
    """Another process has locked it."""
    UNSUPPORTED = "unsupported"
    """The file system has no locks."""


def try_lock(descriptor: int, *, shared: bool = False, wait: bool = False) -> Lock:
    """Lock an open file until it is closed; with `wait`, wait for its holder instead of returning HELD."""
    operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, operation | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return Lock.HELD
    except OSError:
        return Lock.UNSUPPORTED
    return Lock.TAKEN


def write_holder(descriptor: int, text: str) -> None:
    """Replace the content of a lock's file, which names its holder. Raises OSError."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def read_holder(descriptor: int) -> str:
    """Return the content of a lock's file; empty as long as its holder has not written it. Raises OSError."""
    return os.pread(descriptor, 512, 0).decode(errors="replace").strip()
