"""The limit on open files, in processes of its own."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource, sys
from virnucpro_bus.errors import UserError
from virnucpro_bus.system.open_files import allow_open_files
soft, hard, needed = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
try:
    allow_open_files(needed)
except UserError as error:
    print(error)
else:
    print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def limits_after(soft: int, hard: int, needed: int) -> str:
    """The limits after `needed` files were asked for, or the error."""
    command = [sys.executable, "-c", PROGRAM, str(soft), str(hard), str(needed)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_soft_limit_is_raised_to_what_is_needed_and_no_further() -> None:
    assert limits_after(100, 500, 200) == "200 500"


def test_a_limit_that_is_high_enough_stays() -> None:
    assert limits_after(300, 500, 200) == "300 500"


def test_a_hard_limit_that_is_too_low_is_refused_with_what_to_do() -> None:
    assert limits_after(100, 150, 200) == (
        "200 open files are needed, but 150 are allowed; allow more with ulimit -n"
    )
