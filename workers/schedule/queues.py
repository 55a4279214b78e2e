"""The pending files, one queue for each device. Pure: no I/O, no clock, no locks."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from operator import neg
from typing import NamedTuple


class Choice(NamedTuple):
    """A file, and the device in whose queue it is."""

    owner: int
    file: int


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
        self._ahead: list[list[Choice]] = [[] for _ in self._queues]
        """By device: the files that its worker holds already and has not begun, in the order in which it will."""
        self._held_ahead = [0] * len(self._queues)
        """By device: how many files out of its queue are held by a worker, its own or another, and not begun."""

    def add_device(self) -> None:
        """Add an empty queue, of the next device number."""
        self._queues.append(array("q"))
        self._open.append(True)
        self._ahead.append([])
        self._held_ahead.append(0)

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

    def hand_ahead(self, device: int, choice: Choice) -> None:
        """Take a file out of its queue and so out of the reach of other devices: the device's worker holds it.

        It stays one of its owner's pending files until `begin_ahead` or `return_ahead`.
        """
        self.remove(*choice)
        self._ahead[device].append(choice)
        self._held_ahead[choice.owner] += 1

    def ahead(self, device: int) -> list[int]:
        """Return the files that the device's worker holds and has not begun, in the order in which it will."""
        return [file for _, file in self._ahead[device]]

    def begin_ahead(self, device: int) -> None:
        """Remove the first of the files that the device's worker holds: it begins that one."""
        self._held_ahead[self._ahead[device].pop(0).owner] -= 1

    def return_ahead(self, device: int) -> list[int]:
        """Put the last file that the device's worker holds back into the queue that it was in.

        If that is closed, it goes into another one. Returns the file if no queue is open.
        """
        owner, file = self._ahead[device].pop()
        self._held_ahead[owner] -= 1
        return self._distribute([file], owner)

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
        """Return the files that the device is to begin: those that its worker holds, then those of its queue."""
        return [*self.ahead(device), *(-file for file in reversed(self._queues[device]))]

    def depth(self, device: int) -> int:
        """Return the number of files in the device's queue."""
        return len(self._queues[device])

    def depths(self) -> list[int]:
        """Return the number of files in each queue, by device."""
        return [len(queue) for queue in self._queues]

    def pending(self) -> list[int]:
        """Return the number of pending files, by device: in its queue, or held out of it and not begun."""
        return [len(queue) + held for queue, held in zip(self._queues, self._held_ahead, strict=True)]

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
