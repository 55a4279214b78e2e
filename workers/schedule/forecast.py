"""The forecast: when each device will have finished its lease and its queue, kept up to date. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from math import inf

from virnucpro_bus.effect.duration_model import OVERRUN, ROUNDING
from workers.schedule.rates import Rates


class Forecast:
    """Expected times by device number, in seconds of the caller's clock.

    A device counts from the start, before its worker runs, as one that asks at any moment; the longer it does not
    ask, the later it is expected. A device that was refused a file does not count until it leases one, and a
    retired device never counts.
    """

    def __init__(self, costs: Sequence[int], weights: Sequence[float]) -> None:
        """`costs` of the files, by number; `weights` are the assumed relative speeds of the devices."""
        # A file that costs nothing takes some time too.
        self.costs = array("q", (max(cost, 1) for cost in costs))
        self._rates = Rates(weights, sum(self.costs) / len(self.costs) if costs else 1.0)
        self.rates = self._rates.by_device
        """Units per second."""
        devices = len(weights)
        self._leased = [0] * devices
        """Cost of the leased file; 0 without one."""
        self._since = [0.0] * devices
        """When the lease began, or the last one ended."""
        self._is_open = [True] * devices
        self.pending = [0] * devices
        """Cost of all files in its queue."""
        self.free_at = [0.0] * devices
        """When it finishes its lease; -inf when it does not count."""
        self.finish_at = [0.0] * devices
        """When it finishes its queue too; -inf when that is empty."""
        self.capacity = [0.0] * devices
        """Its rate; 0.0 when it does not count."""
        self.booked = [0.0] * devices
        """Its rate times `free_at`; 0.0 when it does not count."""
        self._next_overrun = 0.0

    def add_device(self, weight: float, now: float) -> None:
        """Count one more device, with the next number, an empty queue and no measurement, from now on."""
        self._rates.add_device(weight)
        self._leased.append(0)
        self._since.append(now)
        self._is_open.append(True)
        self.pending.append(0)
        for figures in (self.free_at, self.finish_at, self.capacity, self.booked):
            figures.append(0.0)
        self._expect(len(self._since) - 1, now)

    def set_queues(self, queues: Iterable[Sequence[int]], is_open: Sequence[bool]) -> None:
        """Replace the queues, and which devices still get files."""
        self._is_open = list(is_open)
        for device, files in enumerate(queues):
            self.pending[device] = sum(map(self.costs.__getitem__, files))
            if not is_open[device]:
                self.free_at[device] = -inf
            self._update(device)

    def move(self, file: int, source: int, target: int) -> None:
        """Count a pending file for device `target`, and no longer for `source`."""
        self.pending[target] += self.costs[file]
        self._update(target)
        self.dequeue(source, file)

    def dequeue(self, owner: int, file: int) -> None:
        """Remove a file from the queue of device `owner`."""
        self.pending[owner] -= self.costs[file]
        self._update(owner)

    def start(self, device: int, file: int, now: float) -> None:
        """Begin the device's lease on a file."""
        self._leased[device] = self.costs[file]
        self._since[device] = now
        self._expect(device, self._lease_end(device))

    def finish(self, device: int, seconds: float | None, now: float) -> None:
        """End the device's lease: it asks again at any moment.

        `seconds` is how long the file took; None: the attempt failed, which leaves the rate as it is.
        """
        cost, self._leased[device] = self._leased[device], 0
        self._since[device] = now
        if seconds is not None and self._rates.add_measurement(device, cost, seconds):
            for other, free_at in enumerate(self.free_at):
                if free_at > -inf:
                    self._expect(other, self._lease_end(other))
        self._expect(device, now)

    def is_measured(self, device: int) -> bool:
        """Return whether the device has completed a file, so that its rate is more than its weight."""
        return self._rates.is_measured(device)

    def exclude(self, device: int) -> bool:
        """Stop counting a device that asks for a file, until it leases one. Returns whether it counted before."""
        counted = self.free_at[device] > -inf
        self.free_at[device] = -inf
        self._update(device)
        return counted

    def include(self, device: int, free_at: float) -> None:
        """Count an excluded device again: it finishes what it holds then."""
        self._expect(device, free_at)

    def correct_overruns(self, now: float) -> float:
        """Postpone what is later than expected. Returns when the next overrun is due; inf: never."""
        if now > self._next_overrun:
            for device, free_at in enumerate(self.free_at):
                if -inf < free_at < now:
                    self._expect(device, now + OVERRUN * (now - self._since[device]))
            self._next_overrun = min((at for at in self.free_at if at > -inf), default=inf)
        return self._next_overrun

    def _lease_end(self, device: int) -> float:
        """Return when the lease is expected to end; a hair late, so that a device in time is not an overrun."""
        seconds = self._leased[device] / self.rates[device]
        return self._since[device] + seconds * (1.0 + ROUNDING)

    def _expect(self, device: int, free_at: float) -> None:
        self.free_at[device] = free_at = free_at if self._is_open[device] else -inf
        if -inf < free_at < self._next_overrun:
            self._next_overrun = free_at
        self._update(device)

    def _update(self, device: int) -> None:
        free_at, rate, pending = self.free_at[device], self.rates[device], self.pending[device]
        counts = free_at > -inf
        self.capacity[device] = rate if counts else 0.0
        self.booked[device] = rate * free_at if counts else 0.0
        self.finish_at[device] = free_at + pending / rate if pending else -inf
