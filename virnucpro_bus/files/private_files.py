"""Files and folders of this user alone: keys, lists of clients, sockets, locks.

A file that other users could have changed, or a secret that they could have read, is refused, never silently
repaired.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from contextlib import suppress
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.files.disk import Disk

MAX_BYTES = 1 << 20
"""A longer file is refused: it is not a key or a list of keys."""
OTHERS_WRITE = 0o022
"""Mode bits by which other users may change a file."""
OTHERS_AT_ALL = 0o077
"""Mode bits by which other users may do anything with a file."""


def read_private(path: Path, refused_mode: int) -> str:
    """Read a text file of this user; bytes that are not UTF-8 become surrogates.

    Raises FileNotFoundError, and UserError when its mode has a bit of `refused_mode`, or another user owns it.
    """
    try:
        _check_folder(path.parent)
        # Neither follows a link nor waits for the writer of a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = "is a link; replace it by the file itself" if error.errno == errno.ELOOP else error.strerror
        raise UserError(f"{path}: cannot be read: {reason}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_size > MAX_BYTES:
            raise UserError(f"{path}: must be a file that you own, of at most {MAX_BYTES >> 20} MiB")
        if status.st_mode & refused_mode:
            what = "read or change" if status.st_mode & refused_mode & ~OTHERS_WRITE else "change"
            raise UserError(
                f"{path}: other users may {what} it; check its content, then: chmod 600 {shlex.quote(str(path))}"
            )
        return os.read(descriptor, MAX_BYTES).decode("utf-8", "surrogateescape")
    finally:
        os.close(descriptor)


def private_parent(path: Path) -> None:
    """Make the folder of `path`, with mode 0700. Raises UserError when other users own it or may change it."""
    missing = [folder for folder in path.parents if not folder.exists()]
    try:
        for folder in reversed(missing):
            folder.mkdir(0o700, exist_ok=True)
        _check_folder(path.parent)
    except OSError as error:
        raise UserError(f"{path.parent}: cannot be created: {error.strerror}") from None


def write_private(path: Path, text: str) -> None:
    """Create a file with mode 0600, synced to disk.

    Raises FileExistsError when it exists; any other OSError leaves nothing behind.
    """
    # Exclusive: neither follows a link nor replaces a file.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        Disk().sync_folder(path.parent)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def private_folder(path: Path) -> Path:
    """Make `path` with mode 0700, and return it. Raises OSError, and UserError for what is not our own folder."""
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise UserError(f"{path}: must be a folder that you own, not a link, a file or another user's folder")
    if status.st_mode & OTHERS_AT_ALL:
        path.chmod(0o700)
    return path


def _check_folder(path: Path) -> None:
    """Check that only this user can put files into `path`. Raises OSError, and UserError when others can."""
    status = path.stat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise UserError(f"{path}: must be a folder that you own")
    if status.st_mode & OTHERS_WRITE:
        raise UserError(
            f"{path}: other users may change its files; check them, then: chmod 700 {shlex.quote(str(path))}"
        )
