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
from virnucpro_bus.files.disk import DISK_FULL, problem_of_folder
from virnucpro_bus.text import visible
from workers.process.failure_reason import describe_failure
from workers.protocol import Task, to_path


def find_trouble(error: BaseException, task: Task) -> str | None:
    """Return why no file can be processed after this failed attempt; None if that may be the file's own failure.

    The folders are checked too: the error of a shell command shows only that it failed.
    """
    if is_disk_full(error):
        return f"{task.file} failed because the disk is full"
    attempts = to_path(task.output).parent
    if trouble := problem_of_folder(attempts) or _problem_of_inputs(to_path(task.path)):
        return trouble[:REASON_CHARACTERS]
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


def _problem_of_inputs(path: Path) -> str | None:
    """Return what is wrong with the disk of the inputs; None if only this one file may be gone or damaged.

    A disk that was unmounted leaves an empty folder.
    """
    folder = path.parent
    while True:
        try:
            with os.scandir(folder) as entries:
                if next(entries, None) is not None:
                    return None
            return f"{visible(str(folder))}: is empty: the inputs have vanished"
        except FileNotFoundError:
            folder = folder.parent
        except PermissionError:
            return None  # its files can be opened all the same
        except OSError as error:
            return f"{visible(str(folder))}: cannot be read: {error.strerror}"
