"""Captures read and written without the program, by docs/events.md, to check its figures from outside.

made = MadeCapture()
made.add(0.0, "worker.started/", [["cpu:0", "CPU", 0], 100])
made.write(folder / "run.vbus")
events = read_events(folder / "run.vbus")
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

NS = 1_000_000_000
_HEADER = b"\x89VBUS\r\n\x1a" + struct.pack("<II", 1, 0)
_MARKER = b"\xf5\x9aVB"
_ZSTD = b"\x28\xb5\x2f\xfd"


class Event(NamedTuple):
    """One event as it is on record: the ten elements of its frame, and when the hub received it."""

    kind: str
    version: int
    run: str
    host: str
    source: str
    epoch: int
    seq: int
    wall_ns: int
    mono_ns: int
    fields: list[Any]
    received_ns: int


def read_records(path: Path) -> Iterator[tuple[int, bytes]]:
    """When each frame was received, and the frame; the capture must not be damaged, but may be cut off."""
    data = path.read_bytes()
    if data.startswith(_ZSTD):
        data = _decompressed(data)
    assert data.startswith(_HEADER[:8]), "not a capture"
    at = len(_HEADER)
    while at + 20 <= len(data):
        crc, length, received_ns = struct.unpack_from("<IIQ", data, at + 4)
        end = at + 20 + length
        if end > len(data):
            return
        assert data[at : at + 4] == _MARKER, "damaged"
        assert zlib.crc32(data[at + 8 : end]) == crc, "damaged"
        yield received_ns, data[at + 20 : end]
        at = end


def read_events(path: Path) -> list[Event]:
    """Each event once, in the order in which they were received."""
    seen: dict[tuple[str, str, int, int], Event] = {}
    for received_ns, frame in read_records(path):
        envelope = msgpack.unpackb(frame, strict_map_key=False)[:10]
        event = Event._make([*envelope, received_ns])
        seen.setdefault((event.host, event.source, event.epoch, event.seq), event)
    return list(seen.values())


def _decompressed(data: bytes) -> bytes:
    new = sys.version_info >= (3, 14)
    return bytes(import_module("compression.zstd" if new else "backports.zstd").decompress(data))


@dataclass
class HostClocks:
    """What a host's clocks show at the time 0.0 of a made-up capture, in seconds."""

    mono: float = 1_000.0
    wall: float = 1_700_000_000.0


class MadeCapture:
    """Events of made-up runs, at times in seconds that count from a moment of its own."""

    def __init__(self) -> None:
        self.clocks: defaultdict[str, HostClocks] = defaultdict(HostClocks)
        """By host; to be changed where a host boots, or its wall clock is set."""
        self._records: list[tuple[int, int, bytes]] = []
        self._seqs: Counter[tuple[str, str, int]] = Counter()

    def add(
        self,
        at: float,
        kind: str,
        fields: list[Any],
        *,
        source: str = "worker-0",
        epoch: int = 1,
        host: str = "node",
        delay: float = 0.0,
        times: int = 1,
    ) -> None:
        """Publish an event at this time. The hub receives it `delay` seconds later, never or several times."""
        self._seqs[host, source, epoch] += 1
        clocks, seq = self.clocks[host], self._seqs[host, source, epoch]
        wall_ns, mono_ns = sum_ns(clocks.wall, at), sum_ns(clocks.mono, at)
        frame = msgpack.packb([kind, 1, "run-1", host, source, epoch, seq, wall_ns, mono_ns, fields])
        for _ in range(times):
            self._records.append((received_at(at + delay), len(self._records), frame))

    def write(self, path: Path) -> Path:
        """Write the capture in the order in which the hub received the events; returns its path."""
        with path.open("wb") as file:
            file.write(_HEADER)
            for received_ns, _, frame in sorted(self._records):
                checked = struct.pack("<IQ", len(frame), received_ns) + frame
                file.write(_MARKER + struct.pack("<I", zlib.crc32(checked)) + checked)
        return path


def received_at(at: float) -> int:
    """The hub's wall clock at this time of a made-up capture, in nanoseconds."""
    return sum_ns(1_700_000_000.0, at)


def sum_ns(*seconds: float) -> int:
    """The sum in nanoseconds, exact for times that floats hold exactly."""
    return sum(round(each * NS) for each in seconds)
