"""The live source for a run whose sockets cannot be reached: reads its capture while it grows.

Such a run is on another machine with the same disk, in a container with sockets of its own, or another user's.
"""

from __future__ import annotations

import os
from pathlib import Path
from time import sleep

from virnucpro_bus.capture.records import CHUNK_BYTES, RecordScanner
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.errors import AddressError, EndedError
from virnucpro_bus.history.protocol import Snapshot
from virnucpro_bus.history.recorded_clock import RecordedClock
from virnucpro_bus.run_folder import CAPTURE_NAME, read_addresses
from virnucpro_bus.run_lock import signs_of_life

GIVE_UP_AFTER_NS = 30 * NANOSECONDS
"""Network file systems show what was written elsewhere after some seconds."""


class CaptureTail:
    """An EventSource that follows the capture in a run folder. Not thread-safe."""

    events_on_record = 0
    """Always 0: what is on record is what is read."""
    snapshot_size_bytes = 0
    """Always 0: there are no snapshots."""
    ended = False
    """Always False: the run ends, not the file."""

    def __init__(self, run_dir: Path, clock: Clock, reason: str) -> None:
        """`reason` is why the run's bus is not joined instead. Raises AddressError."""
        self.behind = True
        """Whether there is unread history."""
        self.offset = 0
        """Up to where the capture has been read, in bytes."""
        self.unread_bytes = 0
        """Always 0: no snapshot could replace what is unread."""
        self.problem: str | None = f"{reason}; its capture is read instead"
        """Why nothing can be asked of the run's hub."""
        self.recorded = RecordedClock(clock)
        """The clock of the capture: at first this machine's, as long as nothing was recorded since."""
        self.recorded.estimate(clock.wall_ns())
        self._run_dir = run_dir
        self._clock = clock
        self._scanner = RecordScanner()
        self._signs = signs_of_life(run_dir)
        self._signs_ns = clock.mono_ns()
        """When `_signs` last changed."""
        try:
            # Kept open: a compressed capture that replaces it changes nothing for readers of this one.
            self._fd = os.open(run_dir / CAPTURE_NAME, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise self._unreadable(error) from None

    def snapshot(self) -> Snapshot | None:
        """Return None: only a hub has a fold of what is on record."""
        return None

    def seek(self, offset: int) -> None:
        """Skip the history before `offset`."""
        self.offset, self._scanner = offset, RecordScanner()

    def receive(self, timeout_seconds: float) -> tuple[list[bytes], list[int]]:
        """Return what was recorded since the last call. See EventSource; raises AddressError."""
        data = self._read()
        if not data and not self.behind:
            sleep(timeout_seconds)
            data = self._read()
        self.offset += len(data)
        records = self._scanner.feed(data)
        if records and not self.behind and len(data) < CHUNK_BYTES:
            self.recorded.observe(records[-1].received_ns)
        self.behind = self.behind and len(data) == CHUNK_BYTES
        return [record.frame for record in records], [record.received_ns for record in records]

    def prove_alive(self) -> None:
        """Raise AddressError when the run is over, or has shown no sign of life for half a minute."""
        now_ns = self._clock.mono_ns()
        if (signs := signs_of_life(self._run_dir)) != self._signs:
            self._signs, self._signs_ns = signs, now_ns
        try:
            read_addresses(self._run_dir)
        except EndedError:
            raise
        except AddressError:
            pass  # bus.json is for another user, and shows nothing
        if now_ns - self._signs_ns > GIVE_UP_AFTER_NS:
            raise AddressError(f"{self._run_dir}: no sign of life for {GIVE_UP_AFTER_NS // NANOSECONDS} s")

    def poll_hub_count(self) -> None:
        """Do nothing: the capture has everything that is on record."""

    def resume_history(self) -> None:
        """Do nothing: what is missing in the capture cannot be recovered."""

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> bytes:
        try:
            return os.pread(self._fd, CHUNK_BYTES, self.offset)
        except OSError as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: OSError) -> AddressError:
        return AddressError(f"{self._run_dir / CAPTURE_NAME}: cannot be read: {error.strerror}")
