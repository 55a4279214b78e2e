"""Compresses complete captures, and reads compressed ones.

A compressed capture is a series of zstd frames with checksums, each of at most 1 MiB of capture and 512 times its
own size: damage loses only the frame it is in. `zstd -d` reads it too. It keeps the capture's name; readers
recognise it by its first bytes.

Python 3.14 has zstd, older versions need a package for it. A Python without either leaves captures plain.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from virnucpro_bus.errors import CaptureError
from virnucpro_bus.files.disk import Disk

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
"""How much of a capture is in one zstd frame."""
_MAX_FRAME_BYTES = _PLAIN_BYTES + (1 << 14)
"""No frame written here is longer: data that does not compress grows by 1/256 at most."""
_READ_BYTES = 1 << 22
_WINDOW_LOG = 20
_LEVEL = 1
"""The digests in a plan do not compress: higher levels take twice the time or more, and gain nothing."""
_MAX_RATIO = 512
"""How many bytes of capture a frame may hold for each of its own. Events compress to a tenth, equal long ones to
less; a file with far longer frames is made to keep a reader busy."""
_MIN_CAPTURE_BYTES = 1 << 16
"""Smaller captures stay plain."""


class _Stopped(Exception):
    """Compressing was stopped before its end."""


def compress_capture(path: Path, stopped: Callable[[], bool] = lambda: False) -> None:
    """Replace the plain capture at `path`, which must be complete, by a compressed one.

    Killed at any moment, it leaves one or the other, whole. The file stays as it is when there is nothing to gain
    (no zstd, a small file, one that is compressed or missing), when the disk is too full, and when `stopped`,
    called for each mebibyte, returns true.
    """
    try:
        with path.open("rb") as source:
            size_bytes = os.fstat(source.fileno()).st_size
            if not HAS_ZSTD or size_bytes < _MIN_CAPTURE_BYTES or source.read(4) == ZSTD_MAGIC:
                return
            source.seek(0)
            with Disk().replace_atomically(path) as target:
                _compress(source, target, stopped)
    except (OSError, _Stopped):
        pass  # the plain capture serves as well


def decompress_capture(path: Path) -> None:
    """Replace the compressed capture at `path` by a plain one, to append to. A plain one stays as it is.

    Killed at any moment, it leaves one or the other, whole. Raises OSError; CaptureError without zstd.
    """
    with path.open("rb") as source:
        if source.read(len(ZSTD_MAGIC)) != ZSTD_MAGIC:
            return
        source.seek(0)
        with Disk().replace_atomically(path) as target:
            for _, plain in decompressed(source):
                target.write(plain)


def _compress(source: BinaryIO, target: BinaryIO, stopped: Callable[[], bool]) -> None:
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: _LEVEL,
        zstd.CompressionParameter.checksum_flag: 1,
    }
    while plain := source.read(_PLAIN_BYTES):
        if stopped():
            raise _Stopped
        target.write(_packed(plain, options))


def _packed(plain: bytes, options: dict[int, int]) -> bytes:
    """Return `plain` as frames of which none exceeds _MAX_RATIO: one, unless its parts are nearly all equal."""
    packed: bytes = zstd.compress(plain, options=options)
    if len(plain) <= _MAX_RATIO * len(packed):
        return packed
    middle = len(plain) // 2
    return _packed(plain[:middle], options) + _packed(plain[middle:], options)


def decompressed(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the plain pieces in order, each with the number of unreadable compressed bytes before it.

    Raises CaptureError without zstd. Its memory is bounded, whatever the file declares.
    """
    if not HAS_ZSTD:
        raise CaptureError(
            "a compressed capture cannot be read by this Python, which has no zstd; use `zstd -d` on it"
        )
    buffer, position, skipped_bytes = b"", 0, 0
    while True:
        if len(buffer) - position < _MAX_FRAME_BYTES and (more := file.read(_READ_BYTES)):
            buffer, position = buffer[position:] + more, 0
        if position == len(buffer):
            break
        plain, used_bytes = _first_frame(memoryview(buffer)[position : position + _MAX_FRAME_BYTES])
        if used_bytes:
            yield skipped_bytes, plain
            skipped_bytes = 0
        else:
            following = buffer.find(ZSTD_MAGIC, position + 1)
            # If no other frame follows, the last bytes may be the beginning of one.
            stop = following if following >= 0 else max(position + 1, len(buffer) - len(ZSTD_MAGIC) + 1)
            used_bytes = stop - position
            skipped_bytes += used_bytes
        position += used_bytes
    if skipped_bytes:
        yield skipped_bytes, b""


def _first_frame(data: memoryview) -> tuple[bytes, int]:
    """Return the plain bytes of the frame at the start of `data`, and its length; (b"", 0) if it is not whole."""
    if data[: len(ZSTD_MAGIC)] != ZSTD_MAGIC:
        return b"", 0
    try:
        size_bytes = zstd.get_frame_size(data)
        decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})
        most_bytes = min(_PLAIN_BYTES, _MAX_RATIO * size_bytes)
        # Room for one byte more, so that a frame with more than is written here counts as damaged.
        plain = decoder.decompress(data[:size_bytes], max_length=most_bytes + 1)
    except zstd.ZstdError:
        return b"", 0
    return (plain, size_bytes) if decoder.eof and len(plain) <= most_bytes else (b"", 0)
