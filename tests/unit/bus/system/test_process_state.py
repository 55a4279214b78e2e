"""Whether a process of this machine runs."""

from __future__ import annotations

import os
import subprocess
import sys

from virnucpro_bus.system.process_state import is_running


def test_a_process_runs_until_it_has_ended_even_if_nobody_has_reaped_it() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert is_running(os.getpid())
    assert is_running(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_running(child.pid)
    child.communicate()
    assert not is_running(child.pid)
