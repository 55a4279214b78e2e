"""Files of this user alone, for keys and whom they let in.

What others could have changed, or a secret that they could have read, is refused and never mended in silence.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import stat
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.system.disk import Disk

MOST_BYTES = 1 << 20
OTHERS_WRITE = 0o022
OTHERS_AT_ALL = 0o077


def read_private(path: Path, refused_mode: int) -> str:
    """The text of a file of ours, with bytes that are not UTF-8 as surrogates.

    Raises FileNotFoundError, and UserError when others may do what `refused_mode` says, or it is not ours.
    """
    try:
        _check_folder(path.parent)
        # No link is followed, and nobody waits for a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = "is a link; put the file itself there" if error.errno == errno.ELOOP else error.strerror
        raise UserError(f"{path}: cannot be read: {reason}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_size > MOST_BYTES:
            raise UserError(f"{path}: must be a file of your own, of at most {MOST_BYTES >> 20} MiB")
        if status.st_mode & refused_mode:
            what = "read or change" if status.st_mode & refused_mode & ~OTHERS_WRITE else "change"
            raise UserError(
                f"{path}: others may {what} it; once you trust what is in it: chmod 600 {shlex.quote(str(path))}"
            )
        return os.read(descriptor, MOST_BYTES).decode("utf-8", "surrogateescape")
    finally:
        os.close(descriptor)


def private_parent(path: Path) -> None:
    """Make the folder that `path` is in, with mode 0700. Raises UserError when it is not ours alone."""
    missing = [folder for folder in path.parents if not folder.exists()]
    try:
        for folder in reversed(missing):
            folder.mkdir(0o700, exist_ok=True)
        _check_folder(path.parent)
    except OSError as error:
        raise UserError(f"{path.parent}: cannot be made a folder: {error.strerror}") from None


def write_private(path: Path, text: str) -> None:
    """Make a file that was not there, with mode 0600, and have it on the disk.

    Raises FileExistsError; any other OSError leaves nothing behind.
    """
    # Exclusive: it neither follows a link nor replaces anything.
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


def _check_folder(path: Path) -> None:
    """Raises OSError, and UserError when others could put files there."""
    status = path.stat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise UserError(f"{path}: must be a folder of your own")
    if status.st_mode & OTHERS_WRITE:
        raise UserError(
            f"{path}: others may change what is there; once you trust it: chmod 700 {shlex.quote(str(path))}"
        )


def private_folder(path: Path) -> Path:
    """Make `path` with mode 0700. Refuses what others could have put there."""
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise UserError(f"{path}: must be a folder of your own, not a link or somebody else's")
    if status.st_mode & 0o077:
        path.chmod(0o700)
    return path


def try_lock(descriptor: int) -> str | None:
    """Lock an open file and sign it with our pid, without waiting; returns who holds it, None: now we do.

    The holder is a pid, or "unknown" while it has not signed yet.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return None
