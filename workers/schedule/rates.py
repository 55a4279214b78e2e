"""Rates: how fast each device works, learned from the files that it has completed. Pure."""

from __future__ import annotations

from collections.abc import Sequence

DECAY = 0.85
"""The factor by which each completed file reduces the influence of earlier ones: about the last seven count."""
PRIOR_FILES = 0.5
"""How many files of mean size a device's weight counts for, beside what was measured."""
MIN_WEIGHT = 1e-9
"""The least weight, relative to the greatest of the start; smaller ones are raised to it."""
# Before the first measurement: so slow that elapsed time means nothing, and only ratios between devices count.
_UNKNOWN_SCALE = 1e-9
_MIN_SECONDS = 1e-9


class Rates:
    """Units of work per second, by device number. A unit is what costs are estimated in, by default a base."""

    def __init__(self, weights: Sequence[float], mean_cost: float) -> None:
        """`weights` are the assumed relative speeds of the devices; `mean_cost` is that of the run's files."""
        self._greatest = max(weights, default=1.0)
        self._weights = [self._relative(weight) for weight in weights]
        self._prior_units = PRIOR_FILES * mean_cost
        self._scale = _UNKNOWN_SCALE
        """Units per second of a device of weight 1."""
        self._all_units = 0.0
        self._all_weighted_seconds = 0.0
        self._completions = 0
        self._prior_influence = [1.0] * len(self._weights)
        """By device: what is left of the influence of its weight; 1.0 before its first measurement."""
        self._units = [0.0] * len(self._weights)
        self._seconds = [0.0] * len(self._weights)
        self.by_device = [weight * self._scale for weight in self._weights]
        """The present estimate of each device's rate."""

    def add_device(self, weight: float) -> None:
        """Estimate the rate of one more device, with the next number, by its weight."""
        self._weights.append(self._relative(weight))
        self._prior_influence.append(1.0)
        self._units.append(0.0)
        self._seconds.append(0.0)
        self.by_device.append(0.0)
        self._update(len(self._weights) - 1)

    def add_measurement(self, device: int, units: float, seconds: float) -> bool:
        """Learn from a completed file. Returns whether the rates of unmeasured devices have changed too."""
        seconds = max(seconds, _MIN_SECONDS)
        self._all_units += units
        self._all_weighted_seconds += seconds * self._weights[device]
        self._scale = self._all_units / self._all_weighted_seconds
        self._completions += 1
        self._units[device] = self._units[device] * DECAY + units
        self._seconds[device] = self._seconds[device] * DECAY + seconds
        self._prior_influence[device] *= DECAY
        self._update(device)
        # At powers of two only, so that it costs nothing over a long run.
        if self._completions & (self._completions - 1):
            return False
        for other in range(len(self._weights)):
            if not self.is_measured(other):
                self._update(other)
        return True

    def is_measured(self, device: int) -> bool:
        """Return whether the device has completed a file."""
        return self._prior_influence[device] < 1.0

    def _relative(self, weight: float) -> float:
        # A device that is added may have a greater weight than all of the start.
        return min(max(weight / self._greatest, MIN_WEIGHT), 1.0 / MIN_WEIGHT)

    def _update(self, device: int) -> None:
        prior_units = self._prior_units * self._prior_influence[device]
        prior_seconds = prior_units / (self._scale * self._weights[device])
        units, seconds = self._units[device] + prior_units, self._seconds[device] + prior_seconds
        self.by_device[device] = units / seconds
