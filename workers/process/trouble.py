"""Trouble: what fails every file, although it shows in an attempt at one.

A job that breaks its contract, a disk that is full or gone: none of that says anything about the file. Such an
attempt is charged to no file and no device, and the run ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from virnucpro_bus.errors import EveryFileError
from virnucpro_bus.events.vocabulary import REASON_CHARACTERS
from virnucpro_bus.system.disk import DISK_FULL, probe_folder
from virnucpro_bus.text import visible
from workers.process.failure_reason import describe_failure
from workers.protocol import Task, to_path

_FULL_DISK_BYTES = 1 << 20
"""With less free space than this, any failure is attributed to the full disk."""


def find_trouble(error: BaseException, task: Task) -> str | None:
    """Return why no file can be processed after this failed attempt; None if that may be the file's own failure.

    The folders are checked too: the error of a shell command shows only that it failed.
    """
    attempts = to_path(task.output).parent
    if is_disk_full(error) or _has_no_space(attempts):
        return f"{task.file} failed because the disk is full"
    if trouble := _trouble_of_output(attempts) or _trouble_of_input(to_path(task.path)):
        return visible(trouble)[:REASON_CHARACTERS]
    return describe_failure(error) if isinstance(error, EveryFileError) else None


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or what it was raised from, is that of a full disk."""
    return any(isinstance(each, OSError) and each.errno in DISK_FULL for each in _origins(error))


def _origins(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what it was raised from; of a group of errors, those of each member."""
    seen: set[int] = set()  # a user can chain errors in a ring
    pending: list[BaseException | None] = [error]
    while pending:
        each = pending.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        pending.append(each.__cause__)
        if isinstance(each, BaseExceptionGroup):
            pending.extend(each.exceptions)


def _has_no_space(folder: Path) -> bool:
    try:
        status = os.statvfs(folder)
    except OSError:
        return False
    return status.f_bavail * status.f_frsize < _FULL_DISK_BYTES


def _trouble_of_output(attempts: Path) -> str | None:
    """Return what is wrong with the folder of all attempts; None if one more can be made there."""
    try:
        probe_folder(attempts)
    except FileNotFoundError:
        gone = attempts if attempts.parent.is_dir() else attempts.parent
        return f"{gone}: has been removed during the run"
    except OSError as error:
        return f"{attempts}: cannot be written: {error.strerror}"
    return None


def _trouble_of_input(path: Path) -> str | None:
    """Return what is wrong with the disk of the inputs; None if only this one file may be gone or damaged.

    A disk that was unmounted leaves an empty folder.
    """
    folder = path.parent
    while True:
        try:
            with os.scandir(folder) as entries:
                if next(entries, None) is not None:
                    return None
            return f"{folder}: is empty: the inputs have vanished"
        except FileNotFoundError:
            folder = folder.parent
        except PermissionError:
            return None  # its files can be opened all the same
        except OSError as error:
            return f"{folder}: cannot be read: {error.strerror}"
