"""Which workers are to be ended: those that give no sign of life, and those that take too long over a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from virnucpro_bus.clock import NANOSECONDS, Clock
from workers.pool.slot import Slot
from workers.schedule.blame import Loss

DEFAULT_HANG_SECONDS = 60.0
"""Every worker sends a heartbeat each second from a thread of its own: silent is only one that is stopped, or deep
in a single call that does not let go of Python's lock. A minute of that is no ordinary work."""
LOADING_FACTOR = 10
"""By how much longer a worker may be silent before its first request: loading libraries and a model from a cold
disk does not let go of that lock either."""
_LOOK_NS = NANOSECONDS
_ABSENT_NS = 5 * NANOSECONDS


@dataclass(frozen=True)
class Limits:
    """How long a worker may be silent, and at one file; None: as long as it likes."""

    hang_seconds: float = DEFAULT_HANG_SECONDS
    file_seconds: float | None = None


@dataclass
class _Signs:
    """What was heard of one worker."""

    epoch: int = 0
    events: int = 0
    since_ns: int = 0
    """When the last of them was noticed."""
    output: str | None = None
    """The folder of the attempt it is at, and since when."""
    begun_ns: int = 0


class Watchdog:
    """One thread. `turn` is to be called once a turn, after what has arrived was read; then `verdict`."""

    def __init__(self, limits: Limits, clock: Clock, events_from: Callable[[str, int], int]) -> None:
        """`events_from` says how many events of a source and epoch have been received."""
        self._limits = limits
        self._clock = clock
        self._events_from = events_from
        self._signs: dict[int, _Signs] = {}
        self._turned_ns = self._looked_ns = clock.mono_ns()
        self._now_ns = self._turned_ns
        self._looking = False

    def poll(self) -> None:
        """A new turn begins. If we stood still ourselves, nobody was silent: nobody listened."""
        self._now_ns = now_ns = self._clock.mono_ns()
        if now_ns - self._turned_ns > _ABSENT_NS:
            for signs in self._signs.values():
                signs.since_ns = now_ns
        self._turned_ns = now_ns
        self._looking = now_ns - self._looked_ns >= _LOOK_NS
        if self._looking:
            self._looked_ns = now_ns

    def check(self, slot: Slot) -> tuple[Loss, str] | None:
        """Why the slot's process is to be ended, in words too; None: it may go on."""
        now_ns = self._now_ns
        signs = self._signs.get(slot.number)
        if signs is None or signs.epoch != slot.epoch:
            signs = self._signs[slot.number] = _Signs(slot.epoch, 0, now_ns)
        if slot.output != signs.output:
            signs.output, signs.begun_ns = slot.output, now_ns
        limit = self._limits.file_seconds
        # Who waits for an answer is at no file.
        busy = slot.output is not None and slot.waiting is None
        if limit is not None and busy and now_ns - signs.begun_ns >= limit * NANOSECONDS:
            return Loss.TIMED_OUT, f"timed out after {limit:g} s"
        return self._silence(slot, signs) if self._looking else None

    def _silence(self, slot: Slot, signs: _Signs) -> tuple[Loss, str] | None:
        events = self._events_from(slot.source, slot.epoch)
        if events != signs.events:
            signs.events, signs.since_ns = events, self._now_ns
        limit = self._limits.hang_seconds * (1 if slot.peer else LOADING_FACTOR)
        if self._now_ns - signs.since_ns < limit * NANOSECONDS:
            return None
        return Loss.DIED, f"hung: no sign of life for {limit:g} s"
