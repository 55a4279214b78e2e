"""The manifest of results: how many entries, how many bytes, and a digest that identifies their content.

The digest is the SHA-256 of one line per file or folder, written as `sha256sum` does and sorted by the bytes of
the names, so it can be checked without this program. SHA-256 is fast: common processors have instructions for it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import NamedTuple

from virnucpro_bus.files.disk import Disk
from virnucpro_bus.files.folders import grant_access
from workers.commit.placement import is_entry, list_names

_CHUNK_BYTES = 1 << 20


class Manifest(NamedTuple):
    """The manifest of files and folders that lie next to each other."""

    results: int
    """How many files and folders, without those inside the folders."""
    size_bytes: int
    """Of all files, those inside the folders too."""
    digest: str


def sync_and_digest(folder: str, disk: Disk) -> Manifest:
    """Sync everything in `folder` to the disk and return its manifest. Raises OSError.

    Before that, the owner gets access to everything in it, or it could neither be read, nor moved, nor replaced
    later. `folder` itself is not synced: its entries are about to move to the results folder.
    """
    grant_access(folder)
    return _measure(folder, list_names(folder), disk)


def measure(folder: str, names: Iterable[str]) -> Manifest:
    """Return the manifest of `names`, as `list_names` returns them, without syncing. Raises OSError."""
    return _measure(folder, names, None)


def _measure(folder: str, names: Iterable[str], disk: Disk | None) -> Manifest:
    """Return the manifest of `names` below `folder`, and sync them with `disk`. None: do not sync."""
    digest, results, size_bytes = sha256(), 0, 0
    for name in (name.removesuffix("/") for name in names):
        line, line_bytes = _line(f"{folder}/{name}", os.fsencode(name), disk)
        digest.update(line)
        size_bytes += line_bytes
        results += is_entry(name)
    return Manifest(results, size_bytes, digest.hexdigest())


def _line(path: str, name: bytes, disk: Disk | None) -> tuple[bytes, int]:
    """Return the digest line and the size in bytes of a file, or of a folder without what is in it."""
    status = os.lstat(path)
    if stat.S_ISDIR(status.st_mode):
        if disk is not None:
            disk.sync_folder(path)
        return b"folder  %b\n" % name, 0
    if stat.S_ISREG(status.st_mode):
        digest, size_bytes = _digest_file(path, None if disk is None else disk.sync)
        return b"%b  %b\n" % (digest, name), size_bytes
    target = os.fsencode(os.readlink(path)) if stat.S_ISLNK(status.st_mode) else b""
    return b"other %b  %b\n" % (sha256(target).hexdigest().encode(), name), 0


def _digest_file(path: str, sync: Callable[[int], None] | None) -> tuple[bytes, int]:
    """Return the hexadecimal digest and the size of a file, synced first if `sync` is given."""
    digest, size_bytes = sha256(), 0
    with open(path, "rb", buffering=0) as file:
        if sync is not None:
            sync(file.fileno())
        while data := file.read(_CHUNK_BYTES):
            digest.update(data)
            size_bytes += len(data)
    return digest.hexdigest().encode(), size_bytes
