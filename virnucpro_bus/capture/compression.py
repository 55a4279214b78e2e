"""Captures made small once they are complete, and read all the same.

A compressed capture is a series of zstd frames of at most 1 MiB of capture each, with checksums: damage costs the
frame that it hits. `zstd -d` reads it too. It keeps the capture's name; readers go by the first bytes.

Python 3.14 brings zstd, older ones need a package for it. Where a Python has none, captures stay plain.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from virnucpro_bus.errors import CaptureError
from virnucpro_bus.system.disk import Disk

try:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
except ImportError:
    HAS_ZSTD = False
else:
    HAS_ZSTD = True

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_PLAIN_BYTES = 1 << 20
_MOST_BYTES = _PLAIN_BYTES + (1 << 14)
"""More than a frame of ours can have: what does not compress grows by 1/256 at most."""
_READ_BYTES = 1 << 22
_WINDOW_LOG = 20
_LEVEL = 3
_WORTHWHILE_BYTES = 1 << 16


def compress_capture(path: Path) -> None:
    """Put a compressed capture in the place of the plain one at `path`, which nobody writes to any more.

    Killed at any moment it leaves one or the other, whole. It does nothing where there is nothing to gain (no
    zstd, a small file, one that is compressed or gone), and leaves the plain one where the disk is too full.
    """
    try:
        with path.open("rb") as source:
            size_bytes = os.fstat(source.fileno()).st_size
            if not HAS_ZSTD or size_bytes < _WORTHWHILE_BYTES or source.read(4) == ZSTD_MAGIC:
                return
            source.seek(0)
            with Disk().replace_atomically(path) as target:
                _compress(source, target)
    except OSError:
        pass  # the plain capture is as good


def decompress_capture(path: Path) -> None:
    """Put the plain capture in the place of a compressed one, which is to go on. A plain one is left as it is.

    Killed at any moment it leaves one or the other, whole. Raises OSError; CaptureError where there is no zstd.
    """
    with path.open("rb") as source:
        if source.read(len(ZSTD_MAGIC)) != ZSTD_MAGIC:
            return
        source.seek(0)
        with Disk().replace_atomically(path) as target:
            for _, plain in decompressed(source):
                target.write(plain)


def _compress(source: BinaryIO, target: BinaryIO) -> None:
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: _LEVEL,
        zstd.CompressionParameter.checksum_flag: 1,
    }
    while plain := source.read(_PLAIN_BYTES):
        target.write(zstd.compress(plain, options=options))


def decompressed(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The plain pieces in order, each with the number of compressed bytes before it that could not be read.

    Raises CaptureError where there is no zstd. Bounded in memory, whatever the file says of itself.
    """
    if not HAS_ZSTD:
        raise CaptureError(
            "a compressed capture cannot be read by this Python, which has no zstd; use `zstd -d` on it"
        )
    buffer, position, skipped_bytes = b"", 0, 0
    while True:
        if len(buffer) - position < _MOST_BYTES and (more := file.read(_READ_BYTES)):
            buffer, position = buffer[position:] + more, 0
        if position == len(buffer):
            break
        plain, used_bytes = _one_frame(memoryview(buffer)[position : position + _MOST_BYTES])
        if used_bytes:
            yield skipped_bytes, plain
            skipped_bytes = 0
        else:
            following = buffer.find(ZSTD_MAGIC, position + 1)
            # Without another frame in sight, the last bytes may still be the beginning of one.
            stop = following if following >= 0 else max(position + 1, len(buffer) - len(ZSTD_MAGIC) + 1)
            used_bytes = stop - position
            skipped_bytes += used_bytes
        position += used_bytes
    if skipped_bytes:
        yield skipped_bytes, b""


def _one_frame(data: memoryview) -> tuple[bytes, int]:
    """The plain bytes of the frame at the start of `data` and its length; (b"", 0) when there is no whole one."""
    if data[: len(ZSTD_MAGIC)] != ZSTD_MAGIC:
        return b"", 0
    try:
        size_bytes = zstd.get_frame_size(data)
        decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})
        # Room for one byte more, so that a frame of more than we write is not taken for a whole one.
        plain = decoder.decompress(data[:size_bytes], max_length=_PLAIN_BYTES + 1)
    except zstd.ZstdError:
        return b"", 0
    return (plain, size_bytes) if decoder.eof and len(plain) <= _PLAIN_BYTES else (b"", 0)
