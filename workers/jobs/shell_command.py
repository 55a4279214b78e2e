"""Runs one program of a shell, and describes why it failed. What it prints goes to where this process prints."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping

from virnucpro_bus.errors import EveryFileError, UserError
from virnucpro_bus.logs.shorten import gap_of
from virnucpro_bus.text import visible

MAX_ERROR_CHARACTERS = 300
_BASH_OPTIONS = "set -euo pipefail; "
_SH_OPTIONS = "set -eu; (set -o pipefail) 2>/dev/null && set -o pipefail; "
_STANDARD_ERROR = 2
_ERROR_TAIL_BYTES = 8192
_NO_PROGRAM = (126, 127)
"""A shell's exit status if it cannot execute a program, or does not find it."""
_KILLED_STATUS = 128
"""A shell's exit status is this plus the signal's number if the program that it ran was killed."""


def shell_program(script: str) -> list[str]:
    """Return the shell that runs a script, and its arguments: bash with -euo pipefail, or else sh.

    The script sets the options, so that they do not hold for a user's startup file, $BASH_ENV.
    """
    if bash := shutil.which("bash"):
        return [bash, "-c", _BASH_OPTIONS + script]
    return ["/bin/sh", "-c", _SH_OPTIONS + script]


def run_program(program: list[str], variables: Mapping[str, str]) -> None:
    """Run a program with these variables added to the environment.

    Raises UserError when it fails, with the exit status and, where stderr is a file, the last line on it:
    EveryFileError when the shell has not found a program, or cannot execute it.
    """
    errors = _reopen_standard_error()
    try:
        status = subprocess.run(
            program, stdin=subprocess.DEVNULL, stderr=errors, env={**os.environ, **variables}, check=False
        ).returncode
        if status:
            last = "" if errors is None else _last_line(errors)
            kind = EveryFileError if status in _NO_PROGRAM else UserError
            raise kind(f"the command {_describe_end(status)}{last}")
    finally:
        if errors is not None:
            os.close(errors)


def _reopen_standard_error() -> int | None:
    """Return a descriptor of the file that stderr leads to, with a position of its own; None: it is not a file.

    Writing to the file's end moves the position there, so afterwards it is behind what was written to stderr,
    although stdout may lead to the same file. A pipe would do as well, but for what a command leaves behind.
    """
    try:
        if not stat.S_ISREG(os.fstat(_STANDARD_ERROR).st_mode):
            return None
        return os.open(f"/proc/self/fd/{_STANDARD_ERROR}", os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    except OSError:
        return None


def _describe_end(status: int) -> str:
    if status < 0:
        return f"was killed by {_signal_name(-status)}"
    if status == _KILLED_STATUS + signal.SIGPIPE:
        return (
            f"ended with exit status {status} (SIGPIPE: a program in a pipe ended before it had read everything)"
        )
    if status > _KILLED_STATUS and (name := _signal_name(status - _KILLED_STATUS)):
        return f"ended with exit status {status} (its program was killed by {name})"
    return f"ended with exit status {status}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _last_line(errors: int) -> str:
    """Return ": " and the last line before the position that is not blank; "" if every line is blank.

    In a log that was shortened, the position is not where it was: then it is the last line, also if on stdout.
    """
    end = os.lseek(errors, 0, os.SEEK_END if gap_of(errors).left_out else os.SEEK_CUR)
    start = max(0, end - _ERROR_TAIL_BYTES)
    written = os.pread(errors, end - start, start)
    lines = written.decode(errors="surrogateescape").replace("\r", "\n").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    shown = visible(last[:MAX_ERROR_CHARACTERS])[:MAX_ERROR_CHARACTERS]
    return f": {shown}" if shown else ""
