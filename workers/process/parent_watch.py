"""A worker's watch over the launcher that started it: without its launcher a worker must not hold a GPU."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from time import sleep
from typing import BinaryIO

EXIT_ORPHANED = 1
GRACE_SECONDS = 2.0
"""Time for the main thread to leave by itself after the pipe has ended."""
_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Have the kernel kill this process when its launcher dies, even while a job never releases Python's lock.

    Processes that the job has started are not covered: pool/orphan_guard.py ends those.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class ParentWatch:
    """Ends this process and its group when the pipe from the launcher ends: it has died, or closed the pipe."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._gone = threading.Event()

    def first_line(self) -> bytes:
        """Read the configuration from the pipe. Call it once, before `start`."""
        return self._pipe.readline()

    def start(self) -> None:
        """Start watching in a thread of its own, because the main thread may be busy inside a job."""
        threading.Thread(target=self._watch, name="parent-watch", daemon=True).start()

    def alive(self) -> bool:
        """Whether the launcher is still running. Thread-safe."""
        return not self._gone.is_set()

    def _watch(self) -> None:
        # The descriptor rather than the file object: a thread inside a buffered read holds a lock at exit.
        while os.read(self._pipe.fileno(), 4096):
            pass
        self._gone.set()
        # The main thread leaves by itself when it waits for the launcher; if it is in a job, nothing else ends it.
        sleep(GRACE_SECONDS)
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os._exit(EXIT_ORPHANED)
