"""Where the results of one attempt get their final names, and how the journal carries those names.

Only names that the journal holds are ever compared, replaced or removed: everything else in the results folder is
the user's. In events the bytes of a name that are not printable UTF-8 are percent-encoded, whatever the locale is.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from virnucpro_bus.events.encoder import MAX_TEXT_BYTES
from virnucpro_bus.events.parts import parts_of
from virnucpro_bus.events.vocabulary import FileResults

_NAMES_PER_EVENT = 64
_BYTES_PER_EVENT = 48 * 1024
# "%", control characters, and bytes that are carried as surrogates.
_ENCODED = re.compile("[%\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")


class Placement(NamedTuple):
    """The names of the results of one attempt."""

    folder: str
    """The folder in the results folder that gets them, as its name on disk; "": the results folder itself."""
    names: tuple[str, ...]
    """Paths below it, in the order of `list_names`."""

    @property
    def entries(self) -> int:
        """How many files and folders there are, without those inside the folders."""
        return sum(map(is_entry, self.names))

    def paths(self) -> list[str]:
        """Return all paths below the results folder, the folder of its own last."""
        if not self.folder:
            return list(self.names)
        return [*(f"{self.folder}/{name}" for name in self.names), f"{self.folder}/"]


NO_RESULTS = Placement("", ())


def is_entry(name: str) -> bool:
    """Whether a path that `list_names` returns has no folder above it."""
    return "/" not in name.removesuffix("/")


def list_names(folder: str, entries: Iterable[str] | None = None) -> tuple[str, ...]:
    """Return the paths of all files and folders below `folder`, sorted by the bytes of their names.

    A folder's path ends in "/" and follows the paths in it. Links are not followed. `entries`: only these names in
    the folder, with what is below them; None: all. Raises OSError.
    """
    found: list[str] = []
    pending = _listed(folder) if entries is None else _sorted((name, _is_folder(folder, name)) for name in entries)
    while pending:
        path, is_folder = pending.pop()
        if is_folder:
            found.append(f"{path}/")
            pending += [(f"{path}/{name}", is_below) for name, is_below in _listed(f"{folder}/{path}")]
        else:
            found.append(path)
    return tuple(reversed(found))


def results_events(file: str, attempt: int, placement: Placement) -> Iterator[FileResults]:
    """Yield the events that hold a placement, at least one. Raises OSError for a name that is too long."""
    folder = os.fsencode(placement.folder).decode()
    encoded = [_encode(name) for name in placement.names]
    parts = parts_of(encoded, _size_bytes, most_items=_NAMES_PER_EVENT, most_bytes=_BYTES_PER_EVENT)
    for part, names in enumerate(parts if encoded else [[]]):
        yield FileResults(file, attempt, part, folder, tuple(names))


def names_in(event: FileResults) -> Placement:
    """Return the names that one event holds, without those that lead out of the results folder."""
    folder = os.fsdecode(event.folder.encode())
    names = tuple(os.fsdecode(unquote_to_bytes(name)) for name in event.names)
    is_inside = not folder or _is_inside(folder)
    return Placement(folder, tuple(filter(_is_inside, names)) if is_inside else ())


def _encode(name: str) -> str:
    if name.isascii() and name.isprintable() and "%" not in name and len(name) <= MAX_TEXT_BYTES:
        return name  # nearly always
    text = os.fsencode(name).decode(errors="surrogateescape")
    encoded = _ENCODED.sub(lambda found: "".join(map("%{:02X}".format, _bytes_of(found[0]))), text)
    if len(encoded.encode()) > MAX_TEXT_BYTES:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), name)
    return encoded


def _bytes_of(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _size_bytes(text: str) -> int:
    return len(_bytes_of(text))


def _is_inside(name: str) -> bool:
    return "\0" not in name and not {"", ".", ".."} & set(name.removesuffix("/").split("/"))


def _listed(folder: str) -> list[tuple[str, bool]]:
    """Return the names in a folder, sorted, each with whether it is a folder."""
    with os.scandir(folder) as found:  # knows that without a call of the system for each
        return _sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in found)


def _is_folder(folder: str, name: str) -> bool:
    return stat.S_ISDIR(os.lstat(f"{folder}/{name}").st_mode)


def _sorted(entries: Iterable[tuple[str, bool]]) -> list[tuple[str, bool]]:
    return sorted(entries, key=lambda entry: os.fsencode(entry[0]))
