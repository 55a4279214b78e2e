"""How many files a device gets ahead: leased to it, and begun as soon as the one before has ended. Pure.

A worker that waits for its next file while the last one is synced and committed is idle for some milliseconds,
which is much of the time if its files are short. So it holds more of those. They cannot be stolen meanwhile:
therefore they are few, and take so little time together that the other devices would hardly gain by them.
"""

from __future__ import annotations

MOST_AHEAD = 32
"""How many files a device gets ahead at most."""
AHEAD_SECONDS = 0.1
"""How long these are expected to take together at most, unless it is only one …"""
SHORT_SECONDS = 1.0
"""… that is expected to take less than this."""
SHARE_OF_REST = 0.25
"""How long they are expected to take at most, as a share of the time that all devices need for the rest."""
LEARNING_RATE = 0.3
"""The influence of the last completed file on what is expected of the next one."""


class LeasesAhead:
    """How many files each device may hold ahead, by how long its last ones took. Devices are numbers."""

    def __init__(self, devices: int) -> None:
        self._expected_seconds: list[float | None] = [None] * devices
        """By device: how long its next file is expected to take; None before it has completed one.

        A queue is worked off biggest file first, so the next one is no bigger than the last ones were.
        """
        self._files_per_second = 0.0
        """Of all devices that have completed a file."""

    def add_device(self) -> None:
        """Count for one more device."""
        self._expected_seconds.append(None)

    def remove_device(self, device: int) -> None:
        """Expect no more files of this device."""
        self._expect(device, None)

    def add_measurement(self, device: int, seconds: float) -> None:
        """Learn from a completed file."""
        # Shorter ones make no difference: no more are handed out.
        seconds = max(seconds, AHEAD_SECONDS / MOST_AHEAD)
        expected = self._expected_seconds[device]
        change = 0.0 if expected is None else (seconds - expected) * LEARNING_RATE
        self._expect(device, seconds if expected is None else expected + change)

    def most_ahead(self, device: int, pending: int) -> int:
        """Return how many files the device may hold ahead, while so many are `pending` in the run."""
        seconds = self._expected_seconds[device]
        if seconds is None or seconds >= SHORT_SECONDS:
            return 0
        seconds_left = pending / self._files_per_second
        return min(max(1, round(AHEAD_SECONDS / seconds)), int(SHARE_OF_REST * seconds_left / seconds))

    def _expect(self, device: int, seconds: float | None) -> None:
        before, self._expected_seconds[device] = self._expected_seconds[device], seconds
        self._files_per_second += (1.0 / seconds if seconds else 0.0) - (1.0 / before if before else 0.0)
