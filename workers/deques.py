"""The files that wait, one queue a device. Pure: no I/O, no clock, no locks."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class DeviceQueues:
    """Queues of file numbers, biggest file first, by device number.

    A device takes from the front of its own queue and a thief takes from the front of its victim's, so that big
    files never wait behind small ones. A file is in one queue, or in none once it has been taken.
    """

    def __init__(self, queues: Sequence[Sequence[int]]) -> None:
        """`queues[d]` are the files first given to device d, biggest first."""
        self._queues = [deque(files) for files in queues]
        self._open = [True] * len(self._queues)

    def take(self, device: int) -> int | None:
        """The next file of the device's own queue; None when it is empty."""
        queue = self._queues[device]
        return queue.popleft() if queue else None

    def put_back(self, device: int, file: int) -> None:
        """A file that was taken but not finished is next again: in its device's queue, or if that is closed, in
        the shortest open one. Raises LookupError when no queue is open."""
        self._queues[device if self._open[device] else self._shortest()].appendleft(file)

    def close(self, device: int) -> list[int]:
        """Give the device no more files: those in its queue go to the shortest open ones, front first.

        Returns the files for which there is no open queue left.
        """
        self._open[device] = False
        orphans = list(self._queues[device])
        self._queues[device].clear()
        if not any(self._open):
            return orphans
        for file in orphans:
            self._queues[self._shortest()].append(file)
        return []

    def depths(self) -> list[int]:
        """Files waiting, by device."""
        return [len(queue) for queue in self._queues]

    def _shortest(self) -> int:
        open_devices = [device for device, is_open in enumerate(self._open) if is_open]
        if not open_devices:
            raise LookupError("no queue is open")
        return min(open_devices, key=lambda device: (len(self._queues[device]), device))
