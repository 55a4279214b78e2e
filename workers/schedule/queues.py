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
        self._ahead: list[list[int]] = [[] for _ in self._queues]
        """By device: the files that its worker holds already and has not begun, in the order in which it will."""

    def add_device(self) -> None:
        """Add an empty queue, of the next device number."""
        self._queues.append(array("q"))
        self._open.append(True)
        self._ahead.append([])

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

    def hand_ahead(self, device: int) -> int:
        """Take the biggest file of the device's queue out of the reach of other devices, and return it.

        It stays one of the device's pending files until `begin_ahead` or `return_ahead`.
        """
        file = -self._queues[device].pop()
        self._ahead[device].append(file)
        return file

    def ahead(self, device: int) -> int:
        """Return how many files the device's worker holds and has not begun."""
        return len(self._ahead[device])

    def begin_ahead(self, device: int) -> None:
        """Remove the first of the files that the device's worker holds: it begins that one."""
        self._ahead[device].pop(0)

    def return_ahead(self, device: int) -> list[int]:
        """Put the last file that the device's worker holds back into the device's queue, or another open one.

        Returns the file if no queue is open.
        """
        return self._distribute([self._ahead[device].pop()], device)

    def close(self, device: int) -> list[int]:
        """Assign no more files to the device; move those in its queue to the shortest open ones, biggest first.

        Returns the files for which no open queue is left, biggest first. Those that its worker holds stay there.
        """
        self._open[device] = False
        orphans = [-file for file in reversed(self._queues[device])]
        del self._queues[device][:]
        return self._distribute(orphans, device)

    def is_open(self, device: int) -> bool:
        """Return whether the device still gets files."""
        return self._open[device]

    def files(self, device: int) -> list[int]:
        """Return the device's pending files: those that its worker holds, then its queue, biggest first."""
        return [*self._ahead[device], *(-file for file in reversed(self._queues[device]))]

    def depth(self, device: int) -> int:
        """Return the number of files in the device's queue."""
        return len(self._queues[device])

    def depths(self) -> list[int]:
        """Return the number of files in each queue, by device."""
        return [len(queue) for queue in self._queues]

    def pending(self) -> list[int]:
        """Return the number of pending files, by device: in its queue, or held by its worker and not begun."""
        return [len(queue) + len(ahead) for queue, ahead in zip(self._queues, self._ahead, strict=True)]

    def _distribute(self, files: Sequence[int], device: int) -> list[int]:
        """Put files into the device's queue if that is open, else into the shortest; return them if none is."""
        if not any(self._open):
            return list(files)
        for file in files:
            insort(self._queues[device if self._open[device] else self._shortest()], -file)
        return []

    def _shortest(self) -> int:
        open_devices = [device for device, is_open in enumerate(self._open) if is_open]
        return min(open_devices, key=lambda device: (len(self._queues[device]), device))
