"""What is set up in a worker of a cluster of our own, before it joins: named to Dask as its `preload`."""

from __future__ import annotations

import os
import signal
from typing import Any

from workers.process.termination import IGNORED

LOG_VARIABLE = "VIRNUCPRO_DASK_LOG"
"""The path of the worker's log."""


def dask_setup(worker: Any) -> None:
    """Part this process from the launcher's terminal: Ctrl-C is the launcher's, and so is the screen.

    Called by Dask in the main thread. SIGTERM is left to Dask.
    """
    os.setpgid(0, 0)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    log = os.environ.get(LOG_VARIABLE)
    if log is not None:
        os.makedirs(os.path.dirname(log), exist_ok=True)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.close(file)
