"""The pending files, one queue for each device. Pure: no I/O, no clock, no locks."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from operator import neg


class DeviceQueues:
    """Queues of file numbers, by device number. Files are numbered by size: the lower the number, the bigger.

    A device takes the biggest file of its own queue, so that no big file is pending behind small ones. A file is
    in one queue, or in none once it has been leased.
    """

    def __init__(self, queues: Sequence[Sequence[int]]) -> None:
        """`queues[d]` are the files first assigned to device d."""
        # Negated, so that the biggest file, which is removed most often, is at the end.
        self._queues = [array("q", sorted(map(neg, files))) for files in queues]
        self._open = [True] * len(self._queues)

    def add_device(self) -> None:
        """Add an empty queue, of the next device number."""
        self._queues.append(array("q"))
        self._open.append(True)

    def first(self, device: int) -> int | None:
        """Return the biggest file of the device's queue; None when it is empty."""
        queue = self._queues[device]
        return -queue[-1] if queue else None

    def first_from(self, device: int, least: int) -> int | None:
        """Return the biggest file of the device's queue with a number of at least `least`; None without one."""
        queue = self._queues[device]
        at = bisect_right(queue, -least)
        return -queue[at - 1] if at else None

    def last(self, device: int) -> int | None:
        """Return the smallest file of the device's queue; None when it is empty."""
        queue = self._queues[device]
        return -queue[0] if queue else None

    def owner(self, file: int) -> int | None:
        """Return the device in whose queue the file is; None: it is in none."""
        for device, queue in enumerate(self._queues):
            at = bisect_left(queue, -file)
            if at < len(queue) and queue[at] == -file:
                return device
        return None

    def remove(self, device: int, file: int) -> None:
        """Remove the file from its queue, that of `device`."""
        queue = self._queues[device]
        if queue[-1] == -file:
            queue.pop()
        else:
            del queue[bisect_left(queue, -file)]

    def close(self, device: int) -> list[int]:
        """Assign no more files to the device; move those in its queue to the shortest open ones, biggest first.

        Returns the files for which no open queue is left, biggest first.
        """
        self._open[device] = False
        orphans = self.files(device)
        del self._queues[device][:]
        if not any(self._open):
            return orphans
        for file in orphans:
            insort(self._queues[self._shortest()], -file)
        return []

    def is_open(self, device: int) -> bool:
        """Return whether the device still gets files."""
        return self._open[device]

    def files(self, device: int) -> list[int]:
        """Return the files in the device's queue, biggest first."""
        return [-file for file in reversed(self._queues[device])]

    def depths(self) -> list[int]:
        """Return the number of pending files, by device."""
        return [len(queue) for queue in self._queues]

    def _shortest(self) -> int:
        open_devices = [device for device, is_open in enumerate(self._open) if is_open]
        return min(open_devices, key=lambda device: (len(self._queues[device]), device))
