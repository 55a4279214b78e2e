"""How fast each device is, learned from the files that it has done. Pure."""

from __future__ import annotations

from collections.abc import Sequence

KEPT = 0.85
"""What one more file leaves of the say of those before it: about the last seven count."""
PRIOR_FILES = 0.5
"""So many files of middling size is what a weight counts for, beside what was measured."""
LEAST_WEIGHT = 1e-9
"""Relative to the greatest; what is less counts as this."""
# Before anything was measured: so slow that no time which has passed means anything, and only ratios count.
_UNKNOWN_SCALE = 1e-9


class Rates:
    """Units of work a second, by device number. A unit is what files are estimated in, by default a base."""

    def __init__(self, weights: Sequence[float], middling_cost: float) -> None:
        """`weights`: how fast devices are taken to be relative to each other until they are measured."""
        most = max(weights, default=1.0)
        self._weights = [max(weight / most, LEAST_WEIGHT) for weight in weights]
        self._prior_units = PRIOR_FILES * middling_cost
        self._scale = _UNKNOWN_SCALE
        self._all_units = 0.0
        self._all_weighted_seconds = 0.0
        self._completions = 0
        self._prior_kept = [1.0] * len(self._weights)
        self._units = [0.0] * len(self._weights)
        self._seconds = [0.0] * len(self._weights)
        self.by_device = [weight * self._scale for weight in self._weights]
        """The rate of each device, as far as is known."""

    def add_measurement(self, device: int, units: float, seconds: float) -> bool:
        """The device has done a file. True: the rates of devices that have done none have changed, too."""
        seconds = max(seconds, 1e-9)
        self._all_units += units
        self._all_weighted_seconds += seconds * self._weights[device]
        self._scale = self._all_units / self._all_weighted_seconds
        self._completions += 1
        self._units[device] = self._units[device] * KEPT + units
        self._seconds[device] = self._seconds[device] * KEPT + seconds
        self._prior_kept[device] *= KEPT
        self._learn(device)
        # Now and then is enough, and costs nothing over a long run.
        if self._completions & (self._completions - 1):
            return False
        for other, kept in enumerate(self._prior_kept):
            if kept == 1.0:
                self._learn(other)
        return True

    def is_measured(self, device: int) -> bool:
        """Whether the device has done a file."""
        return self._prior_kept[device] < 1.0

    def _learn(self, device: int) -> None:
        prior_units = self._prior_units * self._prior_kept[device]
        prior_seconds = prior_units / (self._scale * self._weights[device])
        units, seconds = self._units[device] + prior_units, self._seconds[device] + prior_seconds
        self.by_device[device] = units / seconds
