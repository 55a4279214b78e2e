"""The files that wait, one queue a device. Pure: no I/O, no clock, no locks."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush


class DeviceQueues:
    """Queues of file numbers, by device number. Files are numbered by size: the lower the number, the bigger.

    A device takes the biggest file of its own queue and a thief takes the biggest of its victim's, so that big
    files never wait behind small ones. A file is in one queue, or in none once it has been taken.
    """

    def __init__(self, queues: Sequence[Sequence[int]]) -> None:
        """`queues[d]` are the files first given to device d."""
        # A sorted list is a heap.
        self._queues = [sorted(files) for files in queues]
        self._open = [True] * len(self._queues)

    def take(self, device: int) -> int | None:
        """The biggest file of the device's own queue; None when it is empty."""
        queue = self._queues[device]
        return heappop(queue) if queue else None

    def put_back(self, device: int, file: int) -> bool:
        """A file that was taken but not finished waits again: in its device's queue, or if that is closed, in the
        shortest open one. Returns False, and keeps nothing, when no queue is open."""
        if not any(self._open):
            return False
        heappush(self._queues[device if self._open[device] else self._shortest()], file)
        return True

    def close(self, device: int) -> list[int]:
        """Give the device no more files: those in its queue go to the shortest open ones, biggest first.

        Returns the files for which there is no open queue left, biggest first.
        """
        self._open[device] = False
        orphans = sorted(self._queues[device])
        self._queues[device].clear()
        if not any(self._open):
            return orphans
        for file in orphans:
            heappush(self._queues[self._shortest()], file)
        return []

    def is_open(self, device: int) -> bool:
        """Whether the device may still be given files."""
        return self._open[device]

    def depths(self) -> list[int]:
        """Files waiting, by device."""
        return [len(queue) for queue in self._queues]

    def _shortest(self) -> int:
        open_devices = [device for device, is_open in enumerate(self._open) if is_open]
        return min(open_devices, key=lambda device: (len(self._queues[device]), device))
