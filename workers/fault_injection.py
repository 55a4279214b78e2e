"""Named points at which a test can have a process killed or stopped; they do nothing unless a test asks for it.

    VIRNUCPRO_FAULT="kill after_job small_03.fa small_06.fa"      what, where, and with which files (none: always)

It happens only with a file's first attempt, so that whatever is tried again gets through.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping

VARIABLE = "VIRNUCPRO_FAULT"
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}

FaultPoint = Callable[..., None]


def make_fault_point(environment: Mapping[str, str]) -> FaultPoint:
    """What is to be called at each point: `fault_point(point, file, attempt)`."""
    what, _, rest = environment.get(VARIABLE, "").partition(" ")
    if not rest:
        return _pass_by
    where, *files = rest.split()

    def fault_point(point: str, file: str = "", attempt: int = 1) -> None:
        if point == where and attempt == 1 and (not files or file in files):
            os.kill(os.getpid(), _SIGNALS[what])

    return fault_point


def _pass_by(point: str, file: str = "", attempt: int = 1) -> None:
    """No test is going on."""


fault_point = make_fault_point(os.environ)
