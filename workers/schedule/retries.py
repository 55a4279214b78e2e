"""The files that are pending for another attempt, and which device may make it. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush


class Retries:
    """Files of which an attempt came to nothing, by number: the lower, the bigger.

    The next attempt belongs to a device that has not tried the file yet; once every open device has, any of them
    may make it. So a bad device cannot use up all attempts at a file, nor a bad file all attempts on one device.
    """

    def __init__(self, devices: int) -> None:
        self._open = set(range(devices))
        self._pending: set[int] = set()
        self._tried_on: dict[int, set[int]] = {}
        # Heaps. A file that is removed from `_pending` stays in them until it comes up.
        self._untried: list[list[int]] = [[] for _ in range(devices)]
        self._tried_by_all: list[int] = []

    def __len__(self) -> int:
        """Return the number of pending files."""
        return len(self._pending)

    def __iter__(self) -> Iterator[int]:
        """Iterate over the pending files, in no order."""
        return iter(self._pending)

    def __contains__(self, file: int) -> bool:
        """Return whether the file is pending."""
        return file in self._pending

    def add_device(self) -> None:
        """Let one more device make attempts. It has tried no file: none is left that every device has tried."""
        device = len(self._untried)
        self._open.add(device)
        # In order, so that the list is a heap.
        self._untried.append(sorted(self._pending))
        self._tried_by_all.clear()

    def add(self, file: int, device: int) -> bool:
        """Make a file pending that `device` has tried. Returns False, and adds nothing, when no device is open."""
        if not self._open:
            return False
        tried_on = self._tried_on.setdefault(file, set())
        tried_on.add(device)
        self._pending.add(file)
        if self._open <= tried_on:
            heappush(self._tried_by_all, file)
        for other in self._open - tried_on:
            heappush(self._untried[other], file)
        return True

    def first_untried(self, device: int) -> int | None:
        """Return the biggest pending file that the device has not tried; None without one."""
        heap = self._untried[device]
        while heap and (heap[0] not in self._pending or device in self._tried_on[heap[0]]):
            heappop(heap)
        return heap[0] if heap else None

    def first_tried_by_all(self) -> int | None:
        """Return the biggest pending file that every open device has tried; None without one."""
        heap = self._tried_by_all
        while heap and heap[0] not in self._pending:
            heappop(heap)
        return heap[0] if heap else None

    def remove(self, file: int) -> None:
        """Remove a pending file: its next attempt starts."""
        self._pending.remove(file)

    def close(self, device: int) -> list[int]:
        """Let the device make no more attempts. Returns the files for which no device is left, biggest first."""
        self._open.discard(device)
        if not self._open:
            orphans = sorted(self._pending)
            self._pending.clear()
            return orphans
        for file in self._pending:
            if self._open <= self._tried_on[file]:
                heappush(self._tried_by_all, file)
        return []
