"""Which file a device that asks is given: one of its own queue, or one out of another's, and whose. Pure.

A policy belongs to one run. It is told what happens, and when; it reads no clock.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple, Protocol

from workers.schedule.queues import DeviceQueues

THRESHOLD = 3


class Choice(NamedTuple):
    """A file to be taken, and the device in whose queue it stands."""

    owner: int
    file: int


class Policy(Protocol):
    """Chooses at the moment of a request. Devices and files are numbers; times are seconds of any steady clock."""

    refusal_is_final: bool
    """Whether a device that was given nothing will get nothing, whatever happens, until queues are laid anew."""

    def on_queues_changed(self, queues: DeviceQueues) -> None:
        """The queues are new, or a device was closed and its files were moved."""
        ...

    def choose(self, queues: DeviceQueues, device: int, now_seconds: float) -> Choice | None:
        """What the device, which holds no file, is to do next; None: nothing for now."""
        ...

    def on_started(self, device: int, file: int, owner: int | None, now_seconds: float) -> None:
        """The device has a file, out of the queue of `owner`; None: it stood in none, being tried again."""
        ...

    def on_finished(self, device: int, seconds: float | None, now_seconds: float) -> None:
        """The device's file is done, in so many seconds; None: it failed, or the worker was lost."""
        ...

    def retry_at(self, device: int, now_seconds: float) -> float | None:
        """When the answer to a device that was given nothing may change by time alone; None: it does not."""
        ...


class OwnQueueOnly:
    """Nobody steals: every device works off the files it was given."""

    refusal_is_final = True

    def on_queues_changed(self, queues: DeviceQueues) -> None:
        pass

    def choose(self, queues: DeviceQueues, device: int, now_seconds: float) -> Choice | None:
        own = queues.first(device)
        return None if own is None else Choice(device, own)

    def on_started(self, device: int, file: int, owner: int | None, now_seconds: float) -> None:
        pass

    def on_finished(self, device: int, seconds: float | None, now_seconds: float) -> None:
        pass

    def retry_at(self, device: int, now_seconds: float) -> float | None:
        return None


class Threshold(OwnQueueOnly):
    """Steals the biggest file of the longest queue when that is long, and much longer than the thief's.

    Longest >= 3, and (longest > 2 x shortest or longest - shortest >= 3), where the thief's is the shortest, being
    empty: so longest >= 3. Ties go to the first device. A device steals again no sooner than `interval_seconds`
    after it last did.
    """

    def __init__(self, devices: int, interval_seconds: float = 0.0) -> None:
        self._interval_seconds = interval_seconds
        self._not_before = [-inf] * devices

    def choose(self, queues: DeviceQueues, device: int, now_seconds: float) -> Choice | None:
        if (own := super().choose(queues, device, now_seconds)) is not None:
            return own
        if now_seconds < self._not_before[device]:
            return None
        depths = queues.depths()
        longest = max(depths)
        if longest < THRESHOLD:
            return None
        victim = depths.index(longest)
        file = queues.first(victim)
        return None if file is None else Choice(victim, file)

    def on_started(self, device: int, file: int, owner: int | None, now_seconds: float) -> None:
        if owner not in (device, None):
            self._not_before[device] = now_seconds + self._interval_seconds

    def retry_at(self, device: int, now_seconds: float) -> float | None:
        not_before = self._not_before[device]
        return not_before if not_before > now_seconds else None
