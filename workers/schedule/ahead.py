"""How many files a worker gets ahead: leased to it, and begun as soon as the one before has ended. Pure.

A worker that waits for its next file while the last one is synced and committed is idle for some milliseconds,
which is much of the time if its files are short. So it holds more of those. They cannot be stolen meanwhile:
therefore they are few, and take so little time together that the other devices would hardly have gained by them.
"""

from __future__ import annotations

MOST_AHEAD = 32
"""How many files a device gets ahead at most."""
AHEAD_SECONDS = 0.1
"""How long these are expected to take together at most, unless it is only one …"""
SHORT_SECONDS = 1.0
"""… that is expected to take less than this."""
LEAST_PENDING = 3
"""One of so many pending files of a device may be ahead: none of the last two."""
LEARNING_RATE = 0.3
"""The influence of the last completed file on what is expected of the next one."""


class LeasesAhead:
    """How many files each device may hold ahead, by how long its last ones took. Devices are numbers."""

    def __init__(self, devices: int) -> None:
        self._expected_seconds: list[float | None] = [None] * devices
        """By device: how long its next file is expected to take; None before it has completed one.

        A queue is worked off biggest file first, so the next one is no bigger than the last ones were.
        """

    def add_device(self) -> None:
        """Count for one more device."""
        self._expected_seconds.append(None)

    def add_measurement(self, device: int, seconds: float) -> None:
        """Learn from a completed file."""
        expected = self._expected_seconds[device]
        change = 0.0 if expected is None else (seconds - expected) * LEARNING_RATE
        self._expected_seconds[device] = seconds if expected is None else expected + change

    def more_ahead(self, device: int, pending: int, ahead: int) -> int:
        """Return how many files more the device may get of its `pending` ones, `ahead` of which it has already."""
        seconds = self._expected_seconds[device]
        if seconds is None or seconds >= SHORT_SECONDS:
            return 0
        at_once = max(1, int(min(MOST_AHEAD, AHEAD_SECONDS / max(seconds, AHEAD_SECONDS / MOST_AHEAD))))
        return max(0, min(at_once, pending // LEAST_PENDING) - ahead)
