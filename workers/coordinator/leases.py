"""Which files each device holds: the one that it works on, and those ahead of their turn."""

from __future__ import annotations

from collections.abc import Sequence

from workers.coordinator.assignment import Assignment
from workers.coordinator.report import Report


class Leases:
    """The leases of the devices, by number. The caller holds a lock."""

    def __init__(self) -> None:
        self._by_device: dict[int, list[Assignment]] = {}
        """Without the devices that hold none. In the order in which the device's worker begins the files."""

    def first(self, device: int) -> Assignment | None:
        """Return the file that the device works on; None: it holds none."""
        held = self._by_device.get(device)
        return held[0] if held else None

    def add(self, device: int, assignments: Sequence[Assignment]) -> None:
        """Add files that the device begins after those that it holds."""
        if assignments:
            self._by_device.setdefault(device, []).extend(assignments)

    def remove_last(self, device: int) -> None:
        """Remove the file that the device would begin last. It holds others before that one."""
        self._by_device[device].pop()

    def end_first(self, device: int, report: Report) -> Assignment | None:
        """Remove the file that the device works on, and return it; None: the report is not about that one."""
        held = self._by_device.get(device)
        if not held or not report.is_about(held[0].file):
            return None
        first = held.pop(0)
        if not held:
            del self._by_device[device]
        return first

    def end_all(self, device: int) -> list[Assignment]:
        """Remove all files that the device holds, and return them."""
        return self._by_device.pop(device, [])
