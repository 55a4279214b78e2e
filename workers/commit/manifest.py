"""The manifest of results: how many entries, how many bytes, and a digest that identifies their content.

The digest is the SHA-256 of one line per file or folder, written as `sha256sum` does and sorted by the bytes of
the names, so it can be checked without this program. SHA-256 is fast: common processors have instructions for it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from virnucpro_bus.files.disk import Disk
from virnucpro_bus.files.folders import grant_access
from workers.commit.placement import is_entry, list_names

_CHUNK_BYTES = 1 << 17


class Manifest(NamedTuple):
    """The manifest of files and folders that lie next to each other."""

    results: int
    """How many files and folders, without those inside the folders."""
    size_bytes: int
    """Of all files, those inside the folders too."""
    digest: str


class UnsyncedResults(NamedTuple):
    """Results that are digested, and whose writing to the disk has begun."""

    manifest: Manifest
    paths: list[str]
    """The files, and the folders after what is in them."""

    def sync(self, disk: Disk) -> Manifest:
        """Wait until all of them are on disk, and return their manifest. Raises OSError."""
        for path in self.paths:
            if path.endswith("/"):
                disk.sync_folder(path)
            else:
                disk.sync_file(path)
        return self.manifest


def begin_sync(folder: str, disk: Disk) -> UnsyncedResults:
    """Digest everything in `folder`, and begin to write it to the disk. Raises OSError.

    Many small files take half the time when all are begun before the first is waited for, whichever folders they
    are in. Before that, the owner gets access to everything, or it could neither be read, nor moved, nor replaced
    later. `folder` itself is not synced: its entries are about to move to the results folder.
    """
    grant_access(folder)
    return _measure(folder, list_names(folder), disk)


def measure(folder: str, names: Iterable[str]) -> Manifest:
    """Return the manifest of `names`, as `list_names` returns them, without syncing. Raises OSError."""
    return _measure(folder, names, None).manifest


def _measure(folder: str, names: Iterable[str], disk: Disk | None) -> UnsyncedResults:
    """Measure `names` below `folder`, and begin to write them to the disk with `disk`. None: do not."""
    digest, results, size_bytes = sha256(), 0, 0
    paths: list[str] = []
    for name in (name.removesuffix("/") for name in names):
        path, raw_name = f"{folder}/{name}", os.fsencode(name)
        mode = os.lstat(path).st_mode
        if stat.S_ISDIR(mode):
            digest.update(b"folder  %b\n" % raw_name)
            paths.append(f"{path}/")
        elif stat.S_ISREG(mode):
            file_digest, file_bytes = _digest_file(path, disk)
            digest.update(b"%b  %b\n" % (file_digest, raw_name))
            size_bytes += file_bytes
            paths.append(path)
        else:
            target = os.fsencode(os.readlink(path)) if stat.S_ISLNK(mode) else b""
            digest.update(b"other %b  %b\n" % (sha256(target).hexdigest().encode(), raw_name))
        results += is_entry(name)
    return UnsyncedResults(Manifest(results, size_bytes, digest.hexdigest()), paths)


def _digest_file(path: str, disk: Disk | None) -> tuple[bytes, int]:
    """Return the hexadecimal digest and the size of a file; with `disk`, begin to write it."""
    digest, size_bytes = sha256(), 0
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while data := os.read(descriptor, _CHUNK_BYTES):
            digest.update(data)
            size_bytes += len(data)
        if disk is not None:
            disk.begin_sync(descriptor)
    finally:
        os.close(descriptor)
    return digest.hexdigest().encode(), size_bytes
