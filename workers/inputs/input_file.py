"""One input file of a run, and what shows that it is still the same.

A run that is resumed may reach a file by another path: through a link or a mount, moved, or in a copied folder. So
what is recorded of it are several facts that can be compared one by one (`Origin`), and the digest of its content,
which the worker that has processed it computes.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from virnucpro_bus.events.vocabulary import Origin

_CHUNK_BYTES = 1 << 17


class FileState(NamedTuple):
    """What shows whether a file has changed while a run lasts: its size, modification time and inode."""

    size_bytes: int
    mtime_ns: int
    inode: int


def state_of(path: Path) -> FileState:
    """Return the present state of a file. Raises OSError."""
    return state_from(path.stat())


def state_from(status: os.stat_result) -> FileState:
    """Return the state that `status` shows."""
    return FileState(status.st_size, status.st_mtime_ns, status.st_ino)


def content_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal: the whole file is read. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        # hashlib.file_digest makes a buffer of 256 KiB for each file, which costs more than a small file's digest.
        while data := file.read(_CHUNK_BYTES):
            digest.update(data)
    return digest.hexdigest()


def digest_of_folder(real_folder: str) -> str:
    """Return what origins hold of a folder, by its path without links."""
    return _digest(os.fsencode(real_folder))


def origin_in(folder: str, name: str, state: FileState) -> Origin:
    """Return the origin of a file in this state; `folder` is the digest of its folder."""
    return Origin(
        folder,
        _digest(os.fsencode(name)),
        _digest(f"{state.size_bytes} {state.mtime_ns}".encode()),
        _digest(str(state.inode).encode()),
    )


def identity_of(path: str, state: FileState) -> str:
    """Return a digest of path and state, equal only for the same, unchanged input."""
    return _digest(os.fsencode(f"{state.size_bytes} {state.mtime_ns} {state.inode} {path}"))


@dataclass(frozen=True)
class InputFile:
    """One input file of a run."""

    id: str
    """Unique in the run, printable and at most 200 bytes long: the base name where that is enough."""
    path: Path
    """Absolute."""
    stem: str
    """The base name without ".gz" and one suffix; results named after it need no folder of their own."""
    size_bytes: int
    cost: int
    """Estimated work: in bases, unless the job has its own estimates (launch/estimates.py)."""
    own_folder: bool
    """Whether all results go to a folder of their own, because they could be taken for another input's."""
    state: FileState | None = None
    """The file's state when it was found; None: unknown."""
    origin: Origin | None = None
    """Where and in which state it was found, for a run that is resumed later; None: unknown."""

    @property
    def identity(self) -> str:
        """A digest of path and state, equal only for the same, unchanged input; "" where the state is unknown."""
        return "" if self.state is None else identity_of(os.fspath(self.path), self.state)


_NO_DATA = hashlib.blake2b(digest_size=16)


def _digest(data: bytes) -> str:
    # A run has four for each file, and a copy is made in less than half of the time.
    digest = _NO_DATA.copy()
    digest.update(data)
    return digest.hexdigest()
