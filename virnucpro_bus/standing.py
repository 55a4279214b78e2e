"""The fold of a capture that is being written, brought up to date piece by piece by whoever has time to spare."""

from __future__ import annotations

from collections.abc import Callable

from virnucpro_bus.clock import Clock
from virnucpro_bus.fleet import FleetState
from virnucpro_bus.records import RecordScanner


class StandingFold:
    """Answers those who join late: take over this fold, and read on from there. One thread; waits for nothing."""

    def __init__(self, read: Callable[[int, int], bytes], clock: Clock) -> None:
        """`read(offset, limit)` gives up to `limit` bytes of the capture, as CaptureWriter.read does."""
        self._read = read
        self._fleet = FleetState(clock)
        self._scanner = RecordScanner()
        self._read_bytes = 0

    def advance(self, limit_bytes: int) -> bool:
        """Fold the next piece of the capture, so many bytes at most. Returns whether there was anything."""
        data = self._read(self._read_bytes, limit_bytes)
        self._read_bytes += len(data)
        self._fleet.feed([record.frame for record in self._scanner.feed(data)])
        return bool(data)

    def snapshot(self) -> tuple[int, bytes]:
        """The fold, and the offset in the capture from which whoever takes it over must read on.

        There begins what is not folded yet; it may be the middle of a write, but never that of a record.
        """
        return self._read_bytes - self._scanner.waiting_bytes, self._fleet.dump()
