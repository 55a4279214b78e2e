"""Finds the logs of a run by the names in its folder: what an event names is never opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from virnucpro_bus.logs.names import SUFFIX, AttemptName, log_name, parse_log_name
from virnucpro_bus.run_folder import LOG_FOLDER
from virnucpro_bus.text import visible


class Log(NamedTuple):
    """A log with something in it."""

    path: Path
    attempt: AttemptName | None
    """Whose it is; None: a worker's own, or that of a helper."""
    size_bytes: int
    written_ns: int
    """When it was last written, by the clock of its disk."""

    @property
    def source(self) -> str:
        """The worker or helper that has printed it, if it is not about an attempt: "worker-0", "sampler"."""
        return self.path.name.removesuffix(SUFFIX)

    @property
    def shown(self) -> str:
        """Its path in the run folder, as a line names it; `visible` is to follow."""
        return f"{LOG_FOLDER}/{self.path.name}"


def find_logs(run_dir: Path, of: Callable[[AttemptName | None], bool] = lambda _: True) -> list[Log]:
    """Return the logs in a run folder that are not empty, the one that was last written last.

    `of` says of which attempts, and whether also those that are about none. Empty where the folder cannot be read.
    """
    found = []
    try:
        with os.scandir(run_dir / LOG_FOLDER) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and of(name := parse_log_name(entry.name)):
                    log = _log(entry.path, name)
                    if log is not None:
                        found.append(log)
    except OSError:
        return []
    return sorted(found, key=lambda log: (log.written_ns, log.path.name))


def logs_of(run_dir: Path, file: str) -> list[Log]:
    """Return the logs of all attempts at a file, given by its id, the one that was last written last."""
    return find_logs(run_dir, lambda name: name is not None and name.file == file)


def log_of(run_dir: Path, file: str, attempt: int) -> Log | None:
    """Return the log of an attempt, the last one of this number; None: it has printed nothing, or is not known.

    It reads no folder. `file` may be any text.
    """
    last, repeat = None, 1
    while (log := _log_named(run_dir, file, attempt, repeat)) is not None:
        last, repeat = log, repeat + 1
    return last


def log_hint(log: Log | None) -> str:
    """Return what to add to a line about an attempt with this log: "; log: logs/FILE.ATTEMPT.log"; None: ""."""
    return "" if log is None else f"; log: {visible(log.shown)}"


def _log_named(run_dir: Path, file: str, attempt: int, repeat: int) -> Log | None:
    try:
        name = log_name(file, attempt, repeat)
    except UnicodeError:
        return None
    if os.path.basename(name) != name:
        return None  # no id is a path
    return _log(os.fspath(run_dir / LOG_FOLDER / name), AttemptName(file, attempt, repeat))


def _log(path: str, attempt: AttemptName | None) -> Log | None:
    """Return a log; None if there is no such file, or nothing in it."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):  # ValueError: a NUL in an event's text
        return None
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        return None
    return Log(Path(path), attempt, status.st_size, status.st_mtime_ns)
