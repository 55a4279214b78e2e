"""Folders that a user's program has left, with whatever permissions and however deep: opened up, and removed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

_FOLDER_ACCESS, _FILE_ACCESS = 0o700, 0o400


def grant_access(folder: str) -> None:
    """Let the owner enter and change `folder` and every folder below it, and read every file.

    What belongs to another user stays as it is, and links are not followed. Raises OSError for a folder that
    cannot be listed even then.
    """
    pending = [folder]
    while pending:
        for entry in _open_up(pending.pop()):
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            elif entry.is_file(follow_symlinks=False):
                _grant(entry.path, _FILE_ACCESS)


def remove_tree(folder: str) -> None:
    """Remove a folder with everything in it, also where its permissions forbid that, and follow no link.

    What cannot be removed stays, and then the first OSError is raised at the end.
    """
    errors: list[OSError] = []
    pending, folders = [folder], []
    while pending:
        folders.append(pending.pop())
        try:
            entries = _open_up(folders[-1])
        except OSError as error:
            errors.append(error)
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            else:
                _call(os.unlink, entry.path, errors)
    for each in reversed(folders):
        _call(os.rmdir, each, errors)
    if errors:
        raise errors[0]


def _open_up(folder: str) -> list[os.DirEntry[str]]:
    """Let the owner enter and change a folder; return what is in it. Raises OSError."""
    _grant(folder, _FOLDER_ACCESS)
    with os.scandir(folder) as entries:
        return list(entries)


def _grant(path: str, access: int) -> None:
    mode = stat.S_IMODE(os.lstat(path).st_mode)
    if mode & access != access:
        try:
            os.chmod(path, mode | access)
        except OSError:
            pass  # it belongs to another user, whose permissions may be enough


def _call(remove: Callable[[str], None], path: str, errors: list[OSError]) -> None:
    try:
        remove(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        errors.append(error)
