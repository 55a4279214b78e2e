"""The watchdog: which workers are to be ended, because they are silent or take too long over a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from virnucpro_bus.clock import NANOSECONDS, Clock
from workers.desk.limits import Limits
from workers.desk.seat import Seat
from workers.schedule.blame import Loss

LOADING_FACTOR = 10
"""The time-out is this much longer before a worker's first request: loading libraries and a model from a cold disk
does not release the lock either."""
_CHECK_INTERVAL_NS = NANOSECONDS


@dataclass
class _Activity:
    """The last signs of life of one worker."""

    epoch: int = 0
    events: int = 0
    """How many events of this epoch were received …"""
    last_event_ns: int = 0
    """… and when the count last changed."""
    output: str | None = None
    """The results folder of the current attempt, None between attempts …"""
    started_ns: int = 0
    """… and when it was first seen."""


class Watchdog:
    """Compares workers with their limits. For one thread: `poll` once in each turn of its loop, then `check`."""

    def __init__(self, limits: Limits, clock: Clock, events_from: Callable[[str, int], int]) -> None:
        """`clock` stands still while this process does: then no worker is silent or takes long.

        `events_from` returns how many events of a source and epoch have been received.
        """
        self._limits = limits
        self._clock = clock
        self._events_from = events_from
        self._activities: dict[int, _Activity] = {}
        self._now_ns = self._checked_ns = clock.mono_ns()
        self._checks_silence = False
        """Whether silence is checked in this turn: it is once a second."""

    def poll(self) -> None:
        """Begin a turn, after the events that have arrived were read."""
        self._now_ns = now_ns = self._clock.mono_ns()
        self._checks_silence = now_ns - self._checked_ns >= _CHECK_INTERVAL_NS
        if self._checks_silence:
            self._checked_ns = now_ns

    def check(self, seat: Seat, *, is_loaded: bool, is_waiting: bool) -> tuple[Loss, str] | None:
        """Return why the seat's worker is to be ended, as a kind and in words; None if it may continue.

        `is_loaded`: it has made its first request. `is_waiting`: it does not work on the file that it holds; the
        time for the attempt begins when it does.
        """
        now_ns = self._now_ns
        activity = self._activities.get(seat.number)
        if activity is None or activity.epoch != seat.epoch:
            activity = self._activities[seat.number] = _Activity(seat.epoch, 0, now_ns)
        if seat.output != activity.output or is_waiting:
            activity.output, activity.started_ns = seat.output, now_ns
        limit, is_busy = self._limits.file_seconds, seat.output is not None and not is_waiting
        if limit is not None and is_busy and now_ns - activity.started_ns >= limit * NANOSECONDS:
            return Loss.TIMED_OUT, f"timed out after {limit:g} s"
        return self._check_silence(seat, activity, is_loaded=is_loaded) if self._checks_silence else None

    def _check_silence(self, seat: Seat, activity: _Activity, *, is_loaded: bool) -> tuple[Loss, str] | None:
        events = self._events_from(seat.source, seat.epoch)
        if events != activity.events:
            activity.events, activity.last_event_ns = events, self._now_ns
        limit = self._limits.hang_seconds * (1 if is_loaded else LOADING_FACTOR)
        if self._now_ns - activity.last_event_ns < limit * NANOSECONDS:
            return None
        return Loss.DIED, f"hung: no sign of life for {limit:g} s"
