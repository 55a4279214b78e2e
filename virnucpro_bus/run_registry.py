"""The registry: where this user has started runs. `ls` lists them, and `monitor` finds the one that begins.

${XDG_STATE_HOME:-~/.local/state}/virnucpro-bus/runs/    (0700)
    DIGEST.json    one file for each run folder of each host (0600), the newest MOST_ENTRIES of them

Whatever opens a bus enters it here. An entry only says where a run was started: how the run stands, its folder
shows. Nothing depends on an entry. A registry that cannot be written or read costs a run nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec

from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Count, Name
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.files.private_files import OTHERS_WRITE, private_parent, read_private
from virnucpro_bus.files.user_folders import state_folder

MOST_ENTRIES = 200
"""With more, the oldest are removed."""
_SUFFIX = ".json"


class Entry(msgspec.Struct, frozen=True):
    """A run that was started: its id, its folder, the host of its hub, and when."""

    run: Name
    folder: Annotated[str, msgspec.Meta(pattern=r"\A/[^\0]*\Z")]
    """Its absolute path, as the user wrote it; bytes that are not UTF-8 are surrogates (os.fsdecode)."""
    host: Name
    started_ns: Count
    """The wall-clock time at which its bus was opened, for the last time if it was resumed."""

    @property
    def is_of_this_host(self) -> bool:
        """Whether its folder is one of this machine; a home folder may be shared by several."""
        return self.host == socket.gethostname()


def registry_folder() -> Path:
    """Return the folder of the entries. Raises UserError when the home folder is unknown."""
    return state_folder() / "runs"


def enter(run: str, run_dir: Path, started_ns: int) -> None:
    """Write the entry of a run on this host, in place of an earlier one of its folder. Never raises."""
    with suppress(OSError, UserError):
        entry = Entry(run, os.path.abspath(run_dir), socket.gethostname(), started_ns)
        path = _path_of(entry)
        private_parent(path)
        # ASCII, so that a path that is not UTF-8 can be written, too.
        text = json.dumps(msgspec.to_builtins(entry))
        with Disk().replace_atomically(path, 0o600, durable=False) as file:
            file.write(f"{text}\n".encode())
        _remove_oldest(path.parent)


def entries() -> list[Entry]:
    """Return the entries, the latest start first; none where there is no registry, or it cannot be read."""
    try:
        paths = list(registry_folder().glob(f"*{_SUFFIX}"))
    except (OSError, UserError):
        return []
    return sorted(_readable(paths), key=lambda entry: entry.started_ns, reverse=True)


def signs_of_change() -> set[tuple[str, int]]:
    """Return what is another whenever a run is entered or removed: to be compared, no more."""
    try:
        with os.scandir(registry_folder()) as found:
            return {(file.name, file.inode()) for file in found}
    except (OSError, UserError):
        return set()


def remove(entry: Entry) -> None:
    """Remove an entry whose run is no longer there, if the disk permits it."""
    with suppress(OSError, UserError):
        _path_of(entry).unlink()


def _path_of(entry: Entry) -> Path:
    """The file of an entry: one for each folder, so that a new run in it replaces the entry of the one before."""
    place = os.fsencode(f"{entry.host}\0{entry.folder}")
    return registry_folder() / f"{hashlib.sha256(place).hexdigest()[:32]}{_SUFFIX}"


def _readable(paths: list[Path]) -> Iterator[Entry]:
    """Read entries; leave out what is damaged, or could have been written by somebody else."""
    for path in paths:
        with suppress(OSError, UserError, ValueError, RecursionError, msgspec.ValidationError):
            yield msgspec.convert(json.loads(read_private(path, OTHERS_WRITE)), Entry)


def _remove_oldest(folder: Path) -> None:
    """Remove what exceeds MOST_ENTRIES, also drafts of processes that were killed. Raises OSError."""
    with os.scandir(folder) as found:
        files = list(found)
    if len(files) > MOST_ENTRIES:
        files.sort(key=lambda file: file.stat(follow_symlinks=False).st_mtime_ns)
        for file in files[:-MOST_ENTRIES]:
            os.unlink(file)
