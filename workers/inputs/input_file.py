"""One input file of a run, and what shows that it is still the same.

A run that is resumed may reach a file by another path: through a link or a mount, moved, or in a copied folder. So
what is recorded of it are several facts that can be compared one by one (`Origin`), and the digest of its content,
which the worker that has processed it computes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
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


class StateTexts(NamedTuple):
    """What digests hold of the states of files, a column for each fact."""

    versions: list[bytes]
    """Sizes and modification times."""
    inodes: list[bytes]


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
    return next(_digests([os.fsencode(real_folder)]))


def state_texts(sizes: Iterable[int], mtimes_ns: Iterable[int], inodes: Iterable[int]) -> StateTexts:
    """Return what digests hold of the states of files: their sizes in bytes, modification times and inodes."""
    return StateTexts(
        [b"%d %d" % each for each in zip(sizes, mtimes_ns, strict=True)], [b"%d" % each for each in inodes]
    )


def origins_in(folders: Iterable[str], names: Iterable[bytes], states: StateTexts) -> Iterator[Origin]:
    """Return the origins of files in these states; `folders` are the digests of their folders."""
    return map(Origin, folders, _digests(names), _digests(states.versions), _digests(states.inodes))


def identities_of(paths: Iterable[bytes], states: StateTexts) -> Iterator[str]:
    """Return digests of path and state, each equal only for the same, unchanged input."""
    return _digests(map(b" ".join, zip(states.versions, states.inodes, paths, strict=True)))


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
    folder_digest: str | None = None
    """The digest of the folder in which it was found; None: unknown."""

    @property
    def origin(self) -> Origin | None:
        """Where and in which state it was found, for a run that is resumed later; None: unknown."""
        if self.state is None or self.folder_digest is None:
            return None
        return next(origins_in([self.folder_digest], [os.fsencode(self.path.name)], self._state_texts))

    @property
    def identity(self) -> str:
        """A digest of path and state, equal only for the same, unchanged input; "" where the state is unknown."""
        return "" if self.state is None else next(identities_of([os.fsencode(self.path)], self._state_texts))

    @property
    def _state_texts(self) -> StateTexts:
        return state_texts(*([value] for value in self.state or ()))


_NO_DATA = hashlib.blake2b(digest_size=16)


def _digests(texts: Iterable[bytes]) -> Iterator[str]:
    # A run has four for each file: a copy takes less than half of the time, and a call for each would double it.
    for text in texts:
        digest = _NO_DATA.copy()
        digest.update(text)
        yield digest.hexdigest()
