"""The names of logs: FILE.ATTEMPT.log, and SOURCE.log for what is not about a file.

FILE is the input's id, which is a file name. A resumed run counts the attempts at a file from 1 again: the log of
the second attempt of one number ends in "~2.log", so none replaces another.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from virnucpro_bus.run_folder import LOG_FOLDER

SUFFIX = ".log"
_ATTEMPT = re.compile(r"(?P<file>.+)\.(?P<attempt>[1-9][0-9]*)(?:~(?P<repeat>[1-9][0-9]*))?\.log", re.DOTALL)


class AttemptName(NamedTuple):
    """What the name of an attempt's log says."""

    file: str
    """The input's id."""
    attempt: int
    """From 1."""
    repeat: int = 1
    """Which attempt of this number it is, from 1: each session of a run may have one."""


def log_name(file: str, attempt: int, repeat: int = 1) -> str:
    """Return the name of an attempt's log, in the locale's encoding of file names, for an input's id."""
    again = f"~{repeat}" if repeat > 1 else ""
    return os.fsdecode(f"{file}.{attempt}{again}{SUFFIX}".encode())


def attempt_log(file: str, attempt: int) -> str | None:
    """Return the path in the run folder of the log of the first attempt of this number, "logs/FILE.ATTEMPT.log".

    None where no attempt can have a log: its number is unknown, or `file` is not the id of an input.
    """
    if attempt < 1 or os.path.basename(file) != file:
        return None
    try:
        return f"{LOG_FOLDER}/{log_name(file, attempt)}"
    except UnicodeError:
        return None


def worker_log_name(number: int) -> str:
    """Return the name of the log of a worker's own output."""
    return f"worker-{number}{SUFFIX}"


def parse_log_name(name: str) -> AttemptName | None:
    """Return what a log's name in the folder says; None: it is not that of an attempt."""
    found = _ATTEMPT.fullmatch(os.fsencode(name).decode(errors="surrogateescape"))
    return found and AttemptName(found["file"], int(found["attempt"]), int(found["repeat"] or 1))
