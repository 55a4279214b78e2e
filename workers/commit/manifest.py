"""What an attempt has left in its folder: brought to the disk, counted, and with a digest to know it by again.

The digest is the SHA-256 (the fastest that the usual processors have instructions for) of one line an entry, as
`sha256sum` writes them, in the order of the names' bytes. So it can be checked without this program.
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
    """Entries that stand next to each other: how many, the bytes of all files in and below them, their digest."""

    results: int
    size_bytes: int
    digest: str


def sync_and_digest(folder: str, disk: Disk) -> Manifest:
    """Bring everything in `folder` to the disk, and measure it. Raises OSError.

    The names directly in `folder` are not brought there: they are about to move.
    """
    return _measure((f"{folder}/{name}" for name in os.listdir(folder)), disk)


def measure(entries: Iterable[str]) -> Manifest:
    """The manifest of files and folders, wherever they are, as `sync_and_digest` makes it. Raises OSError."""
    return _measure(entries, None)


def _measure(entries: Iterable[str], disk: Disk | None) -> Manifest:
    """`disk` None: nothing is to be brought to it."""
    paths = sorted(map(os.fsencode, entries), key=os.path.basename)
    manifest, size_bytes = sha256(), 0
    for path in paths:
        for line, line_bytes in _lines(path, os.path.basename(path), disk):
            manifest.update(line)
            size_bytes += line_bytes
    return Manifest(len(paths), size_bytes, manifest.hexdigest())


def _lines(path: bytes, name: bytes, disk: Disk | None) -> Iterator[tuple[bytes, int]]:
    """The manifest's line of an entry and of all below it, each with the bytes of the file."""
    status = os.lstat(path)
    if stat.S_ISDIR(status.st_mode):
        for below in sorted(os.listdir(path)):
            yield from _lines(path + b"/" + below, name + b"/" + below, disk)
        if disk is not None:
            disk.sync_folder(os.fsdecode(path))
        yield b"folder  %b\n" % name, 0
    elif stat.S_ISREG(status.st_mode):
        digest, size_bytes = _file(path, None if disk is None else disk.sync)
        yield b"%b  %b\n" % (digest, name), size_bytes
    else:
        target = os.readlink(path) if stat.S_ISLNK(status.st_mode) else b""
        yield b"other %b  %b\n" % (sha256(target).hexdigest().encode(), name), 0


def _file(path: bytes, sync: Callable[[int], None] | None) -> tuple[bytes, int]:
    digest, size_bytes = sha256(), 0
    with open(path, "rb", buffering=0) as file:
        if sync is not None:
            sync(file.fileno())
        while data := file.read(_CHUNK_BYTES):
            digest.update(data)
            size_bytes += len(data)
    return digest.hexdigest().encode(), size_bytes
