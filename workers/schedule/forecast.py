"""When each device will have done what it has: the expected finish of a run, kept up to date. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

from virnucpro_bus.effect.duration_model import OVERRUN, ROUNDING
from workers.schedule.rates import Rates


class Forecast:
    """Expectations by device number; times are seconds of the clock that the caller goes by.

    A device counts from the start, before its worker is there, as one that will ask any moment; the longer it
    does not, the less that is believed. It counts no more once it has been refused, or retired.
    """

    def __init__(self, costs: Sequence[int], weights: Sequence[float]) -> None:
        """`costs` of the files, by number."""
        # A file that costs nothing takes some time, too.
        self.costs = [max(cost, 1) for cost in costs]
        middling = sum(self.costs) / len(self.costs) if costs else 1.0
        self._rates = Rates(weights, middling)
        self.rates = self._rates.by_device
        """Units a second."""
        devices = len(weights)
        self._in_hand = [0] * devices
        self._since = [0.0] * devices
        self.pending = [0] * devices
        """Units in its queue."""
        self._counts = [True] * devices
        """Whether it may be given files."""
        self.free_at = [0.0] * devices
        """When it will have done what it has in hand; -inf where it counts no more."""
        self.finish_at = [0.0] * devices
        """When it will have done its queue, too; -inf where there is nothing in it."""
        self.capacity = [0.0] * devices
        """Its rate, as far as it counts."""
        self.booked = [0.0] * devices
        """Its rate times `free_at`, as far as it counts."""
        self._next_overrun = 0.0

    def set_queues(self, queues: Iterable[Sequence[int]], counts: Sequence[bool]) -> None:
        """The queues, and which devices count, have changed."""
        self._counts = list(counts)
        for device, files in enumerate(queues):
            self.pending[device] = sum(map(self.costs.__getitem__, files))
            if not counts[device]:
                self.free_at[device] = -inf
            self._update(device)

    def dequeue(self, owner: int, file: int) -> None:
        """A file has left a queue."""
        self.pending[owner] -= self.costs[file]
        self._update(owner)

    def begin(self, device: int, file: int, now: float) -> None:
        """The device has a file in hand."""
        self._in_hand[device] = self.costs[file]
        self._since[device] = now
        self._expect(device, self._end_of_hand(device))

    def end(self, device: int, seconds: float | None, now: float) -> None:
        """It has none any more, and will ask any moment. `seconds`: what the file took; None: it is not done."""
        cost, self._in_hand[device] = self._in_hand[device], 0
        self._since[device] = now
        if seconds is not None and self._rates.add_measurement(device, cost, seconds):
            for other, free_at in enumerate(self.free_at):
                if free_at > -inf:
                    self._expect(other, self._end_of_hand(other))
        self._expect(device, now)

    def is_measured(self, device: int) -> bool:
        """Whether it has done a file, so that more is known of it than its weight."""
        return self._rates.is_measured(device)

    def leave_out(self, device: int) -> bool:
        """The device itself asks: it counts no more until it has got something. False: it did not count before."""
        counted = self.free_at[device] > -inf
        self.free_at[device] = -inf
        self._update(device)
        return counted

    def correct_overruns(self, now: float) -> float:
        """Correct what takes longer than was expected. Returns when something will again; inf: never."""
        if now > self._next_overrun:
            for device, free_at in enumerate(self.free_at):
                if -inf < free_at < now:
                    self._expect(device, now + OVERRUN * (now - self._since[device]))
            self._next_overrun = min((at for at in self.free_at if at > -inf), default=inf)
        return self._next_overrun

    def _end_of_hand(self, device: int) -> float:
        """When it will have done what it has in hand; a hair later, so that who is in time overruns nothing."""
        seconds = self._in_hand[device] / self.rates[device]
        return self._since[device] + seconds * (1.0 + ROUNDING)

    def _expect(self, device: int, free_at: float) -> None:
        self.free_at[device] = free_at = free_at if self._counts[device] else -inf
        if -inf < free_at < self._next_overrun:
            self._next_overrun = free_at
        self._update(device)

    def _update(self, device: int) -> None:
        free_at, rate, waiting = self.free_at[device], self.rates[device], self.pending[device]
        counts = free_at > -inf
        self.capacity[device] = rate if counts else 0.0
        self.booked[device] = rate * free_at if counts else 0.0
        self.finish_at[device] = free_at + waiting / rate if waiting else -inf
