"""Policies: which file a device that asks gets next, out of its own queue or stolen out of another one. Pure.

`Policy` is the base: it serves every device from its own queue and steals nothing, which is the policy `off`.
Subclasses add what they steal: `ThresholdPolicy` here, `CostPolicy` in cost_policy.py. `ForeignPolicy` stands for
the scheduler of another program.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from workers.schedule.queues import Choice, DeviceQueues

MIN_VICTIM_DEPTH = 3


class Policy:
    """Serves a device from its own queue, biggest file first, and never steals: the policy `off`, and the base.

    A policy belongs to one run. It chooses at the moment of a request and is notified of everything that happens.
    Devices and files are numbers; times are seconds of any steady clock, and passed in.
    """

    refusal_is_final = True
    """Whether a device that was refused a file gets none until the queues change, except by `retry_at`."""
    decides = True
    """Whether a device that asks for a file is to get one, of its own queue, by this policy, or a retry."""

    def choose(self, queues: DeviceQueues, device: int, now_seconds: float) -> Choice | None:
        """Return the next file of a device that holds none; None: no file for now."""
        own = queues.first(device)
        if own is None:
            return self._steal(queues, device, now_seconds)
        return self._choose_own(queues, device, own, now_seconds)

    def choose_ahead(self, queues: DeviceQueues, device: int, now_seconds: float) -> Iterator[Choice]:
        """Yield what a device is to begin after all that it holds: by default its own files, biggest first.

        Each has to be handed ahead to the device before the next one is asked for.
        """
        while (own := queues.first(device)) is not None:
            yield Choice(device, own)

    def on_device_added(self, weight: float, now_seconds: float) -> None:
        """Take note of one more device of this weight, with the next number and an empty queue."""

    def on_queues_changed(self, queues: DeviceQueues) -> None:
        """Take note that the queues are new, or that a device was closed and its files were moved."""

    def on_moved(self, file: int, source: int, target: int) -> None:
        """Take note that a pending file is to be begun by device `target`, and no longer by `source`."""

    def on_started(self, device: int, file: int, owner: int | None, now_seconds: float) -> None:
        """Take note that a device leased a file out of the queue of `owner`; None: a retry, out of no queue.

        A file that the device held ahead counts as one of its own queue.
        """

    def on_finished(self, device: int, seconds: float | None, now_seconds: float) -> None:
        """Take note that a device completed its file in `seconds`; None: it failed, or the worker was lost."""

    def retry_at(self, device: int, now_seconds: float) -> float | None:
        """Return when a device that was refused may get a file though nothing else happens; None: never."""
        return None

    def _choose_own(self, queues: DeviceQueues, device: int, biggest: int, now_seconds: float) -> Choice | None:
        """Return a file of the device's own queue, which is not empty: by default the biggest."""
        return Choice(device, biggest)

    def _steal(self, queues: DeviceQueues, thief: int, now_seconds: float) -> Choice | None:
        """Return a file of another queue for a device whose own is empty; None: steal nothing, the default."""
        return None


class ForeignPolicy(Policy):
    """Decides nothing: the scheduler of another program does, and the files that it chose are leased by number."""

    decides = False


class ThresholdPolicy(Policy):
    """Steals the biggest file of the longest queue when that is long, and much longer than the thief's.

    That is: longest >= 3, and (longest > 2 x shortest or longest - shortest >= 3). The thief's queue is empty and
    so the shortest, which leaves longest >= 3. Among equal queues the first device is the victim. A thief steals
    again at the earliest `interval_seconds` after its last steal.
    """

    def __init__(self, devices: int, interval_seconds: float = 0.0) -> None:
        self._interval_seconds = interval_seconds
        self._not_before = [-inf] * devices
        """By device: when it may steal again."""

    def on_device_added(self, weight: float, now_seconds: float) -> None:
        """Let it steal from the start."""
        self._not_before.append(-inf)

    def on_started(self, device: int, file: int, owner: int | None, now_seconds: float) -> None:
        """Begin the interval after a steal."""
        if owner not in (device, None):
            self._not_before[device] = now_seconds + self._interval_seconds

    def retry_at(self, device: int, now_seconds: float) -> float | None:
        """Return the end of the device's interval; None when it is over."""
        not_before = self._not_before[device]
        return not_before if not_before > now_seconds else None

    def _steal(self, queues: DeviceQueues, thief: int, now_seconds: float) -> Choice | None:
        if now_seconds < self._not_before[thief]:
            return None
        depths = queues.depths()
        longest = max(depths)
        if longest < MIN_VICTIM_DEPTH:
            return None
        victim = depths.index(longest)
        file = queues.first(victim)
        return None if file is None else Choice(victim, file)
