"""The points at which tests have processes killed: exact when asked for, nothing otherwise."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from workers.fault_injection import VARIABLE, fault_point, make_fault_point

PROGRAM = """
from workers.fault_injection import fault_point
import sys
for call in sys.argv[1:]:
    point, file, attempt = call.split(",")
    fault_point(point, file, int(attempt))
    print(call, flush=True)
"""


def reached(fault: str, *calls: str) -> tuple[int, list[str]]:
    """How a process ended that passed these points, and the ones that it passed alive."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *calls], env={VARIABLE: fault}, capture_output=True, text=True, check=False
    )
    return ran.returncode, ran.stdout.split()


@pytest.mark.parametrize("fault", ["kill after_job b c", "kill after_job"])
def test_a_process_is_killed_at_the_point_and_with_the_files_that_were_asked_for(fault: str) -> None:
    calls = ("before_job,b,1", "after_job,b,2", "after_job,b,1", "after_job,c,1")
    assert reached(fault, *calls) == (-signal.SIGKILL, ["before_job,b,1", "after_job,b,2"])


def test_other_files_pass() -> None:
    assert reached("kill after_job b", "after_job,a,1") == (0, ["after_job,a,1"])


@pytest.mark.parametrize("environment", [{}, {VARIABLE: ""}, {VARIABLE: "kill"}])
def test_nothing_happens_unless_a_point_is_named(environment: dict[str, str]) -> None:
    assert make_fault_point(environment) is fault_point
