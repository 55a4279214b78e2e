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

Reach = Callable[..., None]


def reacher(environment: Mapping[str, str]) -> Reach:
    """What is to be called at each point: `reach(point, file, attempt)`."""
    what, _, rest = environment.get(VARIABLE, "").partition(" ")
    if not rest:
        return _pass_by
    where, *files = rest.split()

    def reach(point: str, file: str = "", attempt: int = 1) -> None:
        if point == where and attempt == 1 and (not files or file in files):
            os.kill(os.getpid(), _SIGNALS[what])

    return reach


def _pass_by(point: str, file: str = "", attempt: int = 1) -> None:
    """No test is going on."""


reach = reacher(os.environ)
