"""Bounds the size of a log: the beginning and the end stay, and one line says how much was between them."""

from __future__ import annotations

import os
from pathlib import Path

from virnucpro_bus.files.disk import Disk

HEAD_BYTES = 1 << 18
TAIL_BYTES = 3 << 18
MAX_LOG_BYTES = HEAD_BYTES + TAIL_BYTES
"""1 MiB, without the line between the two."""


def shorten_log(path: Path) -> None:
    """Leave out the middle of a log that is too long, at the ends of lines where there are some.

    What holds the log open keeps it whole. Raises OSError.
    """
    with path.open("rb") as log:
        size = os.fstat(log.fileno()).st_size
        if size <= MAX_LOG_BYTES:
            return
        head = log.read(HEAD_BYTES)
        log.seek(size - TAIL_BYTES)
        tail = log.read(TAIL_BYTES)
    head = head[: head.rfind(b"\n") + 1] or head
    tail = tail[tail.find(b"\n") + 1 :] or tail
    left_out = size - len(head) - len(tail)
    between = b"" if head.endswith(b"\n") else b"\n"
    with Disk().replace_atomically(path, durable=False) as file:
        file.write(head + between + b"[%d bytes left out]\n" % left_out + tail)
