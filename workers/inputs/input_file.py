"""One input file of a run, and what shows that it is still the same."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple


class FileState(NamedTuple):
    """What shows whether a file has changed: its size, modification time and inode."""

    size_bytes: int
    mtime_ns: int
    inode: int


def state_of(path: Path) -> FileState:
    """Return the present state of a file. Raises OSError."""
    return state_from(path.stat())


def state_from(status: os.stat_result) -> FileState:
    """Return the state that `status` shows."""
    return FileState(status.st_size, status.st_mtime_ns, status.st_ino)


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

    @property
    def identity(self) -> str:
        """A digest of path and state, equal only for the same, unchanged input; "" where the state is unknown."""
        if self.state is None:
            return ""
        state = " ".join(map(str, self.state)).encode()
        return blake2b(state + b" " + os.fsencode(self.path), digest_size=16).hexdigest()
