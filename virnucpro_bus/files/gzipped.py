"""Content that is compressed while it is written."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

_GZIP_FORMAT = zlib.MAX_WBITS | 16


def gzipped(content: Iterable[bytes]) -> Iterator[bytes]:
    """Yield pieces of what gzip makes of `content`: the same for the same content, whenever it is written."""
    compressor = zlib.compressobj(wbits=_GZIP_FORMAT)
    for piece in content:
        if compressed := compressor.compress(piece):
            yield compressed
    yield compressor.flush()
