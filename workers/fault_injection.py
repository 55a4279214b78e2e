"""Fault injection for tests: named points at which a process kills or stops itself. Inactive by default.

    VIRNUCPRO_FAULT="kill after_job small_03.fa small_06.fa"      action, point, files (none: any file)

A fault happens only in a file's first attempt, so that every retry gets through.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping

VARIABLE = "VIRNUCPRO_FAULT"
"""The environment variable that requests a fault."""
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}

FaultPoint = Callable[..., None]
"""Called as `fault_point(point, file="", attempt=1)`."""


def make_fault_point(environment: Mapping[str, str]) -> FaultPoint:
    """Return the function to call at every point: it injects the fault that `environment` requests, if any."""
    action, _, target = environment.get(VARIABLE, "").partition(" ")
    if not target:
        return _do_nothing
    fault_at, *files = target.split()

    def fault_point(point: str, file: str = "", attempt: int = 1) -> None:
        if point == fault_at and attempt == 1 and (not files or file in files):
            os.kill(os.getpid(), _SIGNALS[action])

    return fault_point


def _do_nothing(point: str, file: str = "", attempt: int = 1) -> None:
    """Inject no fault."""


fault_point = make_fault_point(os.environ)
