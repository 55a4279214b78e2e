"""The file operations on which it depends what a crash leaves behind, in one place.

Whoever must be able to pick up after a crash (capture, results, worker) does them through a `Disk`. It adds
nothing to the system's calls; tests put another one in its place, which notes them, or lets the n-th one fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

StrPath = str | os.PathLike[str]


class Disk:
    """Has no state; safe from any thread. Everything raises OSError, as the system's calls do."""

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Write at the end of a file; returns how many bytes went in."""
        return os.write(descriptor, data)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        """Cut a file."""
        os.ftruncate(descriptor, size_bytes)

    def sync(self, descriptor: int) -> None:
        """Wait until the disk has the content of an open file."""
        os.fsync(descriptor)

    def make_folder(self, path: StrPath) -> None:
        """Make a folder, and those above it; it may be there already."""
        os.makedirs(path, exist_ok=True)

    def rename(self, source: StrPath, target: StrPath) -> None:
        """Give a file or folder another name, in one step, in the place of a file of that name."""
        os.rename(source, target)

    def remove(self, path: StrPath) -> None:
        """Remove a file, or a folder with all that is in it; it may be gone already."""
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass

    def sync_folder(self, path: StrPath) -> None:
        """Wait until the disk has the names in a folder: what was made, renamed and removed there."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def replace_atomically(self, path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
        """A file that takes the place of `path` at the end, in one step and on the disk. One writer at a time.

        Killed at any moment it leaves the old file or the new one, whole; so does an exception, which also
        removes the draft. `mode` is that of the new file, less the umask.
        """
        draft = path.with_name(f".{path.name}.draft")
        draft.unlink(missing_ok=True)  # of a writer that was killed
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(draft, flags, mode), "wb") as file:
                yield file
                file.flush()
                self.sync(file.fileno())
            self.rename(draft, path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        self.sync_folder(path.parent)
