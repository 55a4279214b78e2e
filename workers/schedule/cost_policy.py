"""The policy `cost`: an idle device steals a file when that ends the run sooner. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import inf
from operator import neg

from workers.schedule.forecast import Forecast
from workers.schedule.policy import Policy
from workers.schedule.queues import Choice, DeviceQueues

MARGIN = 1e-9
"""The least gain that counts, as a share; less than that is rounding of sums."""

LATE_FACTOR = 1.1
"""A device leaves an own file to others when the file takes it this many times what is left of the run …"""
SOONER_FACTOR = 0.8
"""… and another device finishes it within this share of the time."""
SHARE_AHEAD = 0.5
"""What a device holds ahead is to end within this share of the time that all devices need for the rest."""
_NEVER_REFUSED = (-1, -inf)


class CostPolicy(Policy):
    """Compares when each device will have finished its lease and its queue, by the rates measured so far.

    The thief steals from the device that would finish last: the biggest file that it finishes by the time at which
    the others would have done everything else; failing that, a file that no other device would finish sooner. Of
    its own files a device does the biggest first, except one that would lengthen the run and that another device
    would finish sooner.
    """

    refusal_is_final = False

    def __init__(self, costs: Sequence[int], weights: Sequence[float]) -> None:
        """`costs` are those of the files, biggest first; `weights` those of the devices."""
        self._forecast = Forecast(costs, weights)
        # Ascending, for bisect.
        self._negated_costs = array("q", map(neg, self._forecast.costs))
        self._changes = 0
        """Counts the changes of the forecast."""
        self._refused = [_NEVER_REFUSED] * len(weights)
        """By device: the number of changes at its last refusal, and until when that refusal holds."""

    def on_device_added(self, weight: float, now_seconds: float) -> None:
        """Forecast with the new device."""
        self._forecast.add_device(weight, now_seconds)
        self._refused.append(_NEVER_REFUSED)
        self._changes += 1

    def on_queues_changed(self, queues: DeviceQueues) -> None:
        """Forecast with the new queues."""
        devices = range(len(self._refused))
        self._forecast.set_queues(map(queues.files, devices), [queues.is_open(device) for device in devices])
        self._changes += 1

    def on_moved(self, file: int, source: int, target: int) -> None:
        """Forecast with the file where it is now."""
        self._forecast.move(file, source, target)
        self._changes += 1

    def on_started(self, device: int, file: int, owner: int | None, now_seconds: float) -> None:
        """Forecast with the new lease."""
        if owner is not None:
            self._forecast.dequeue(owner, file)
        self._forecast.start(device, file, now_seconds)
        self._changes += 1

    def on_finished(self, device: int, seconds: float | None, now_seconds: float) -> None:
        """Learn the device's rate from a completed file."""
        self._forecast.finish(device, seconds, now_seconds)
        self._changes += 1

    def retry_at(self, device: int, now_seconds: float) -> float | None:
        """Return when a device that works is next overdue, which changes the forecast; None: never."""
        holds_until = self._refused[device][1]
        return holds_until if now_seconds < holds_until < inf else None

    def choose_ahead(self, queues: DeviceQueues, device: int, now_seconds: float) -> Iterator[Choice]:
        """Yield its own files, biggest first, and then those to steal for the time when it will have done these.

        The first one that would end late is left for others to take, and so are all after it.
        """
        forecast = self._forecast
        forecast.correct_overruns(now_seconds)
        costs, rate = forecast.costs, forecast.rates[device]
        free_at = forecast.free_at[device] + sum(costs[file] for file in queues.ahead(device)) / rate
        latest = now_seconds + SHARE_AHEAD * (self._all_done_at() - now_seconds)
        while free_at < latest:
            own = queues.first(device)
            choice = self._steal_for(queues, device, free_at) if own is None else Choice(device, own)
            if choice is None:
                return
            free_at += costs[choice.file] / rate
            if free_at > latest:
                return
            yield choice

    def _steal_for(self, queues: DeviceQueues, thief: int, free_at: float) -> Choice | None:
        """Return what a device that works is to steal when it will be free; None: nothing."""
        forecast = self._forecast
        lease_end = forecast.free_at[thief]
        forecast.exclude(thief)
        choice = self._most_useful(queues, thief, free_at)
        forecast.include(thief, lease_end)
        return choice

    def _all_done_at(self) -> float:
        """Return when all pending files are done if they are spread well over the devices that count."""
        forecast = self._forecast
        return (sum(forecast.pending) + sum(forecast.booked)) / sum(forecast.capacity)

    def _choose_own(self, queues: DeviceQueues, device: int, biggest: int, now_seconds: float) -> Choice | None:
        return self._smaller_own(queues, device, biggest, now_seconds) or Choice(device, biggest)

    def _steal(self, queues: DeviceQueues, thief: int, now_seconds: float) -> Choice | None:
        changes, holds_until = self._refused[thief]
        if changes == self._changes and now_seconds <= holds_until:
            return None
        # The forecast is that of the others: the thief does not count in it.
        self._changes += self._forecast.exclude(thief)
        holds_until = self._forecast.correct_overruns(now_seconds)
        choice = self._most_useful(queues, thief, now_seconds)
        if choice is None:
            self._refused[thief] = (self._changes, holds_until)
        return choice

    def _smaller_own(self, queues: DeviceQueues, device: int, file: int, now: float) -> Choice | None:
        """Return the biggest own file that the device finishes in time, when `file` is better left to another one.

        It is when this device would finish it much later than all others finish, and another one much sooner than
        this device. None: do `file`, since it is not, or no smaller file is in time, or the rate is not measured.
        """
        forecast = self._forecast
        capacity, rate = sum(forecast.capacity), forecast.rates[device]
        if not capacity or not forecast.is_measured(device):
            return None
        all_done_at = (sum(forecast.pending) + sum(forecast.booked)) / capacity
        seconds_left = max(all_done_at, max(forecast.free_at)) - now
        cost = forecast.costs[file]
        if cost / rate <= seconds_left * LATE_FACTOR:
            return None
        sooner = now + cost / rate * SOONER_FACTOR
        for other, free_at in enumerate(forecast.free_at):
            if free_at > -inf and other != device and free_at + cost / forecast.rates[other] < sooner:
                return self._biggest(queues, device, seconds_left * rate)
        return None

    def _most_useful(self, queues: DeviceQueues, thief: int, now: float) -> Choice | None:
        """Return the file whose steal ends the run soonest; None: no steal does."""
        forecast = self._forecast
        last = max(forecast.finish_at)
        if last == -inf:
            return None
        victim = forecast.finish_at.index(last)
        rate, capacity = forecast.rates[thief], sum(forecast.capacity)
        if not capacity:
            return self._biggest(queues, victim, inf)
        # All others finish together if the pending files are spread well, or one of them has a long lease.
        all_done_at = (sum(forecast.pending) + sum(forecast.booked)) / capacity
        longest = max(forecast.free_at)
        # The others do not have to do what the thief takes.
        affordable = max((all_done_at - now) / (1.0 / rate + 1.0 / capacity), (longest - now) * rate)
        if (choice := self._biggest(queues, victim, affordable)) is not None:
            return choice
        sooner = self._biggest_done_sooner(thief, now) * (1.0 - MARGIN)
        in_time = (max(all_done_at, longest) - now) * rate * (1.0 - MARGIN)
        for _, owner in sorted((-at, owner) for owner, at in enumerate(forecast.finish_at) if at > -inf):
            if (choice := self._biggest(queues, owner, max(affordable, sooner))) is not None:
                return choice
            smallest = queues.last(owner)
            if smallest is not None and forecast.costs[smallest] < in_time:
                return Choice(owner, smallest)
        return None

    def _biggest(self, queues: DeviceQueues, owner: int, max_cost: float) -> Choice | None:
        """Return the biggest file of a queue that costs at most `max_cost`."""
        file = queues.first_from(owner, bisect_left(self._negated_costs, -max_cost))
        return None if file is None else Choice(owner, file)

    def _biggest_done_sooner(self, thief: int, now: float) -> float:
        """Return the cost up to which the thief finishes a file before all others, which begin when free."""
        forecast = self._forecast
        rates, rate = forecast.rates, forecast.rates[thief]
        return min(
            (
                max(0.0, free_at - now) / (1.0 / rate - 1.0 / rates[other])
                for other, free_at in enumerate(forecast.free_at)
                # Compared by seconds per unit: two rates can differ though their inverses are equal.
                if free_at > -inf and 1.0 / rates[other] < 1.0 / rate
            ),
            default=inf,
        )
