"""The file operations that decide what a crash leaves on disk, in one place.

Code that must recover from a crash (capture, results, worker) performs them through a `Disk`. Tests replace it by
one that records the operations, or lets the n-th fail.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from virnucpro_bus.files.folders import remove_tree
from virnucpro_bus.text import visible

StrPath = str | os.PathLike[str]
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of what passes when there is room again; no other error of a write does."""
DISK_FAILURES = (*DISK_FULL, errno.EIO, errno.EROFS, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO)
"""Error numbers of the disk or its server, whatever is written: not of the one file."""
_FULL_DISK_BYTES = 1 << 20
"""With less free space than this, a disk counts as full: errors of programs show only that they failed."""
_BEGUN_BYTES = 1 << 20
# A folder cannot be synced: not on this file system, or not by a user who may not read it.
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EPERM)


def draft_of(path: Path) -> Path:
    """Return the path at which `replace_atomically` writes the file that is to replace `path`."""
    return path.with_name(f".{path.name}.draft")


class Disk:
    """File operations of the operating system. Stateless, so safe from any thread. All methods raise OSError."""

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Write at the end of an open file; returns how many bytes were written."""
        return os.write(descriptor, data)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        """Cut an open file to `size_bytes`."""
        os.ftruncate(descriptor, size_bytes)

    def sync(self, descriptor: int) -> None:
        """Wait until the content of an open file is on disk."""
        os.fsync(descriptor)

    def begin_sync(self, descriptor: int) -> None:
        """Begin to write the first MiB of an open file to the disk, where the system can; `sync` is to follow."""
        # Linux begins to write what is not written yet, and only then drops from memory what is: little of a file
        # that was not just made.
        with suppress(OSError):
            os.posix_fadvise(descriptor, 0, _BEGUN_BYTES, os.POSIX_FADV_DONTNEED)

    def sync_file(self, path: StrPath) -> None:
        """Wait until the content of a file is on disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)

    def make_folder(self, path: StrPath) -> None:
        """Make a folder and its missing parents; it may exist."""
        os.makedirs(path, exist_ok=True)

    def rename(self, source: StrPath, target: StrPath) -> None:
        """Rename a file or folder atomically; an existing file `target` is replaced."""
        os.rename(source, target)

    def remove(self, path: StrPath) -> None:
        """Remove a file, a link, or a folder with its content; it may be missing."""
        if os.path.isdir(path) and not os.path.islink(path):
            remove_tree(os.fspath(path))
        else:
            self.unlink(path)

    def unlink(self, path: StrPath) -> None:
        """Remove a file or a link; it may be missing."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass

    def remove_empty_folder(self, path: StrPath) -> None:
        """Remove a folder; it may be missing."""
        try:
            os.rmdir(path)
        except FileNotFoundError:
            pass

    def sync_folder(self, path: StrPath) -> None:
        """Wait until the names in a folder are on disk: what was created, renamed and removed there.

        Where folders cannot be synced there is nothing to wait for: it returns at once.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self.sync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno not in _CANNOT_SYNC:
                raise

    @contextmanager
    def replace_atomically(self, path: Path, mode: int = 0o666, *, durable: bool = True) -> Iterator[BinaryIO]:
        """Yield a file that replaces `path` at the end of the block, in one step. One writer at a time.

        Killed at any moment, it leaves the old file or the new one, whole; so does an exception, which also
        removes the draft. `mode` is that of the new file, less the umask. `durable` waits until the replacement
        is on disk; without it a power failure may undo it.
        """
        draft = draft_of(path)
        draft.unlink(missing_ok=True)  # left by a writer that was killed
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(draft, flags, mode), "wb") as file:
                yield file
                if durable:
                    file.flush()
                    self.sync(file.fileno())
            self.rename(draft, path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
        if durable:
            self.sync_folder(path.parent)


def problem_of_folder(path: StrPath) -> str | None:
    """Return why no more files can be made in a folder, in one line; None if they can."""
    path, shown = Path(path), visible(os.fspath(path))
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".probe-", dir=path))
        status = os.statvfs(path)
    except FileNotFoundError:
        return f"{shown if path.parent.is_dir() else visible(os.fspath(path.parent))}: has been removed"
    except OSError as error:
        return f"{shown}: cannot be written: {error.strerror}"
    return f"{shown}: the disk is full" if status.f_bavail * status.f_frsize < _FULL_DISK_BYTES else None
