"""The files that wait, one queue a device. Pure: no I/O, no clock, no locks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence


class DeviceQueues:
    """Queues of file numbers, by device number. Files are numbered by size: the lower the number, the bigger.

    A device takes the biggest file of its own queue, so that big files never wait behind small ones. A file is in
    one queue, or in none once it has been taken.
    """

    def __init__(self, queues: Sequence[Sequence[int]]) -> None:
        """`queues[d]` are the files first given to device d."""
        # The biggest file, which is taken most, stands at the end.
        self._queues = [sorted(-file for file in files) for files in queues]
        self._open = [True] * len(self._queues)

    def first(self, device: int) -> int | None:
        """The biggest file of the device's queue; None when it is empty."""
        queue = self._queues[device]
        return -queue[-1] if queue else None

    def first_from(self, device: int, least: int) -> int | None:
        """The biggest file of the device's queue whose number is `least` or more; None: there is none."""
        queue = self._queues[device]
        at = bisect_right(queue, -least)
        return -queue[at - 1] if at else None

    def last(self, device: int) -> int | None:
        """The smallest file of the device's queue; None when it is empty."""
        queue = self._queues[device]
        return -queue[0] if queue else None

    def remove(self, device: int, file: int) -> None:
        """Take the file out of the queue in which it stands, that of `device`."""
        queue = self._queues[device]
        if queue[-1] == -file:
            queue.pop()
        else:
            del queue[bisect_left(queue, -file)]

    def close(self, device: int) -> list[int]:
        """Give the device no more files: those in its queue go to the shortest open ones, biggest first.

        Returns the files for which there is no open queue left, biggest first.
        """
        self._open[device] = False
        orphans = self.files(device)
        self._queues[device].clear()
        if not any(self._open):
            return orphans
        for file in orphans:
            insort(self._queues[self._shortest()], -file)
        return []

    def is_open(self, device: int) -> bool:
        """Whether the device may still be given files."""
        return self._open[device]

    def files(self, device: int) -> list[int]:
        """What waits in the device's queue, biggest first."""
        return [-file for file in reversed(self._queues[device])]

    def depths(self) -> list[int]:
        """Files waiting, by device."""
        return [len(queue) for queue in self._queues]

    def _shortest(self) -> int:
        open_devices = [device for device, is_open in enumerate(self._open) if is_open]
        return min(open_devices, key=lambda device: (len(self._queues[device]), device))
