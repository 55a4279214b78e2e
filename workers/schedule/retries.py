"""The files that wait for another attempt, and which device may make it. Pure: no I/O, no clock, no locks."""

from __future__ import annotations

from heapq import heappop, heappush


class Retries:
    """Files that were tried in vain, by number: the lower, the bigger.

    The next attempt belongs to a device that has not tried the file yet. Only when every open device has, any of
    them may: so neither can a bad device condemn a file, nor a bad file one device after another.
    """

    def __init__(self, devices: int) -> None:
        self._open = set(range(devices))
        self._waiting: set[int] = set()
        self._tried_on: dict[int, set[int]] = {}
        # Heaps. A file that has been taken out of one stays in the others until it is their turn.
        self._new_to: list[list[int]] = [[] for _ in range(devices)]
        self._tried_by_all: list[int] = []

    def __len__(self) -> int:
        """Files that wait."""
        return len(self._waiting)

    def add(self, file: int, device: int) -> bool:
        """`device` has tried the file in vain: it waits. False, and nothing is kept, when no device is open."""
        if not self._open:
            return False
        tried_on = self._tried_on.setdefault(file, set())
        tried_on.add(device)
        self._waiting.add(file)
        if self._open <= tried_on:
            heappush(self._tried_by_all, file)
        for other in self._open - tried_on:
            heappush(self._new_to[other], file)
        return True

    def new_to(self, device: int) -> int | None:
        """The biggest waiting file that the device has not tried; None: there is none."""
        heap = self._new_to[device]
        while heap and (heap[0] not in self._waiting or device in self._tried_on[heap[0]]):
            heappop(heap)
        return heap[0] if heap else None

    def tried_by_all(self) -> int | None:
        """The biggest waiting file that every open device has tried; None: there is none."""
        heap = self._tried_by_all
        while heap and heap[0] not in self._waiting:
            heappop(heap)
        return heap[0] if heap else None

    def take(self, file: int) -> None:
        """The file is being tried again."""
        self._waiting.remove(file)

    def close(self, device: int) -> list[int]:
        """The device tries no more files. Returns those for which there is no device left, biggest first."""
        self._open.discard(device)
        if not self._open:
            left = sorted(self._waiting)
            self._waiting.clear()
            return left
        for file in self._waiting:
            if self._open <= self._tried_on[file]:
                heappush(self._tried_by_all, file)
        return []
