"""The manifest of results: how many entries, how many bytes, and a digest that identifies their content.

The digest is the SHA-256 of one line per entry, written as `sha256sum` does and sorted by the bytes of the names,
so it can be checked without this program. SHA-256 is fast: common processors have instructions for it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from virnucpro_bus.system.disk import Disk

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

    `folder` itself is not synced: its entries are about to move to the results folder.
    """
    return _measure((f"{folder}/{name}" for name in os.listdir(folder)), disk)


def measure(entries: Iterable[str]) -> Manifest:
    """Return the manifest of files and folders, wherever they are, without syncing. Raises OSError."""
    return _measure(entries, None)


def _measure(entries: Iterable[str], disk: Disk | None) -> Manifest:
    """Return the manifest of `entries`, and sync them with `disk`. None: do not sync."""
    paths = sorted(map(os.fsencode, entries), key=os.path.basename)
    digest, size_bytes = sha256(), 0
    for path in paths:
        for line, line_bytes in _lines(path, os.path.basename(path), disk):
            digest.update(line)
            size_bytes += line_bytes
    return Manifest(len(paths), size_bytes, digest.hexdigest())


def _lines(path: bytes, name: bytes, disk: Disk | None) -> Iterator[tuple[bytes, int]]:
    """Yield a digest line and a file size in bytes for the entry and, if it is a folder, for all entries in it."""
    status = os.lstat(path)
    if stat.S_ISDIR(status.st_mode):
        for below in sorted(os.listdir(path)):
            yield from _lines(path + b"/" + below, name + b"/" + below, disk)
        if disk is not None:
            disk.sync_folder(os.fsdecode(path))
        yield b"folder  %b\n" % name, 0
    elif stat.S_ISREG(status.st_mode):
        digest, size_bytes = _digest_file(path, None if disk is None else disk.sync)
        yield b"%b  %b\n" % (digest, name), size_bytes
    else:
        target = os.readlink(path) if stat.S_ISLNK(status.st_mode) else b""
        yield b"other %b  %b\n" % (sha256(target).hexdigest().encode(), name), 0


def _digest_file(path: bytes, sync: Callable[[int], None] | None) -> tuple[bytes, int]:
    """Return the hexadecimal digest and the size of a file, synced first if `sync` is given."""
    digest, size_bytes = sha256(), 0
    with open(path, "rb", buffering=0) as file:
        if sync is not None:
            sync(file.fileno())
        while data := file.read(_CHUNK_BYTES):
            digest.update(data)
            size_bytes += len(data)
    return digest.hexdigest().encode(), size_bytes
