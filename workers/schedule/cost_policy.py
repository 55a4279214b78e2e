"""The policy `cost`: an idle device takes a file where that brings the end of the run nearer. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import inf

from workers.schedule.forecast import Forecast
from workers.schedule.policy import Choice, OwnQueueOnly
from workers.schedule.queues import DeviceQueues

MARGIN = 1e-9
"""What is nearer by less than this share is not nearer: it is the rounding of sums."""

LATE = 1.1
"""A file is left to others where it takes so many times what is left of the run …"""
SOONER = 0.8
"""… and another device has done it in at most this part of the time."""


class Cost(OwnQueueOnly):
    """Goes by what each device has in hand and waiting, and how fast it was measured to be.

    From the device that would finish last, the thief takes the biggest file that it will have done by the time at
    which the others would have done all the rest; else one that nobody else would have done sooner. Of its own
    files a device does the biggest first, but for one that makes the run longer and that another does sooner.
    """

    refusal_is_final = False

    def __init__(self, costs: Sequence[int], weights: Sequence[float]) -> None:
        """`costs` of the files, biggest first."""
        self._forecast = Forecast(costs, weights)
        # Ascending, for bisect.
        self._negated = [-cost for cost in self._forecast.costs]
        self._changes = 0
        self._refused = [(-1, -inf)] * len(weights)
        """By device, what a refusal was based on: the number of changes, and until when it holds."""

    def on_queues_changed(self, queues: DeviceQueues) -> None:
        devices = range(len(self._refused))
        self._forecast.set_queues(map(queues.files, devices), [queues.is_open(device) for device in devices])
        self._changes += 1

    def choose(self, queues: DeviceQueues, device: int, now_seconds: float) -> Choice | None:
        if (own := super().choose(queues, device, now_seconds)) is not None:
            return self._left_to_others(queues, device, own.file, now_seconds) or own
        changes, holds_until = self._refused[device]
        if changes == self._changes and now_seconds <= holds_until:
            return None
        self._changes += self._forecast.leave_out(device)
        holds_until = self._forecast.correct_overruns(now_seconds)
        choice = self._steal(queues, device, now_seconds)
        if choice is None:
            self._refused[device] = (self._changes, holds_until)
        return choice

    def on_started(self, device: int, file: int, owner: int | None, now_seconds: float) -> None:
        if owner is not None:
            self._forecast.dequeue(owner, file)
        self._forecast.begin(device, file, now_seconds)
        self._changes += 1

    def on_finished(self, device: int, seconds: float | None, now_seconds: float) -> None:
        self._forecast.end(device, seconds, now_seconds)
        self._changes += 1

    def retry_at(self, device: int, now_seconds: float) -> float | None:
        holds_until = self._refused[device][1]
        return holds_until if now_seconds < holds_until < inf else None

    def _left_to_others(self, queues: DeviceQueues, device: int, file: int, now: float) -> Choice | None:
        """The next one of its own queue that the device does in time, if `file` is better done by another one.

        That is a file with which it would be much later than all the others, and another much sooner than it.
        None: there is no such file, or nothing is known of the device but its weight.
        """
        forecast = self._forecast
        capacity, rate = sum(forecast.capacity), forecast.rates[device]
        if not capacity or not forecast.is_measured(device):
            return None
        together = (sum(forecast.pending) + sum(forecast.booked)) / capacity
        in_time = max(together, max(forecast.free_at)) - now
        cost = forecast.costs[file]
        if cost / rate <= in_time * LATE:
            return None
        sooner = now + cost / rate * SOONER
        for other, free_at in enumerate(forecast.free_at):
            if free_at > -inf and other != device and free_at + cost / forecast.rates[other] < sooner:
                return self._biggest(queues, device, in_time * rate)
        return None

    def _steal(self, queues: DeviceQueues, thief: int, now: float) -> Choice | None:
        """The thief itself does not count in the forecast."""
        forecast = self._forecast
        last = max(forecast.finish_at)
        if last == -inf:
            return None
        victim = forecast.finish_at.index(last)
        rate, capacity = forecast.rates[thief], sum(forecast.capacity)
        if not capacity:
            return self._biggest(queues, victim, inf)
        # All others are free at one moment, if what waits is spread well; or one of them has a long file in hand.
        together = (sum(forecast.pending) + sum(forecast.booked)) / capacity
        longest = max(forecast.free_at)
        # What the thief takes the others do not have to do.
        affordable = max((together - now) / (1.0 / rate + 1.0 / capacity), (longest - now) * rate)
        if (choice := self._biggest(queues, victim, affordable)) is not None:
            return choice
        sooner = self._sooner_than_any(thief, now) * (1.0 - MARGIN)
        in_time = (max(together, longest) - now) * rate * (1.0 - MARGIN)
        for _, owner in sorted((-at, owner) for owner, at in enumerate(forecast.finish_at) if at > -inf):
            if (choice := self._biggest(queues, owner, max(affordable, sooner))) is not None:
                return choice
            smallest = queues.last(owner)
            if smallest is not None and forecast.costs[smallest] < in_time:
                return Choice(owner, smallest)
        return None

    def _biggest(self, queues: DeviceQueues, owner: int, most: float) -> Choice | None:
        """The biggest file of a queue that costs no more than `most`."""
        file = queues.first_from(owner, bisect_left(self._negated, -most))
        return None if file is None else Choice(owner, file)

    def _sooner_than_any(self, thief: int, now: float) -> float:
        """How big a file may be for the thief to have done it before anybody else, who would begin when free."""
        forecast = self._forecast
        rates, rate = forecast.rates, forecast.rates[thief]
        return min(
            (
                max(0.0, free_at - now) / (1.0 / rate - 1.0 / rates[other])
                for other, free_at in enumerate(forecast.free_at)
                # By what one unit takes: two rates can differ by less than their inverses can show.
                if free_at > -inf and 1.0 / rates[other] < 1.0 / rate
            ),
            default=inf,
        )
