"""What a capture holds already that a writer is going to continue."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from virnucpro_bus.capture.records import CHUNK_BYTES, RecordScanner

_received_ns = attrgetter("received_ns")


class PastRecords(NamedTuple):
    """What a plain capture contains: the length without an incomplete last record, and the last time."""

    size_bytes: int = 0
    last_ns: int = 0
    """When the latest frame was received, nanoseconds since 1970; 0: no frame."""


def scan_past_records(path: Path) -> PastRecords:
    """Read a plain capture. Raises OSError when it cannot be read."""
    scanner, last_ns, size_bytes = RecordScanner(), 0, 0
    with path.open("rb") as file:
        while data := file.read(CHUNK_BYTES):
            size_bytes += len(data)
            last_ns = max((last_ns, *map(_received_ns, scanner.feed(data))))
    incomplete_bytes = scanner.incomplete_bytes
    # A damaged length field may hide whole records behind it.
    if behind := scanner.finish():
        last_ns = max((last_ns, *map(_received_ns, behind)))
        incomplete_bytes = scanner.incomplete_bytes
    return PastRecords(size_bytes - incomplete_bytes, last_ns)
