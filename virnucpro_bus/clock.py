"""Clocks: the only module that reads the time.

All other code is passed a `Clock`, so that tests and replays decide what time it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

NANOSECONDS = 1_000_000_000


class Clock(Protocol):
    """A wall clock and a monotonic clock. Safe to call from any thread."""

    def wall_ns(self) -> int:
        """Return nanoseconds since 1970-01-01 UTC; for display only, since it may jump."""
        ...

    def mono_ns(self) -> int:
        """Return nanoseconds of a clock that never goes back; shared by all processes of a host."""
        ...


class SystemClock:
    """The clocks of the machine."""

    # The functions themselves: a method around them would double their cost, and every event calls both.
    wall_ns = staticmethod(time.time_ns)
    mono_ns = staticmethod(time.monotonic_ns)


class AttendedClock:
    """A monotonic clock that stands still while its process does: for limits on what other processes do.

    Whoever waits for a limit reads it in a loop. A longer time between two readings means that this process was
    suspended (SIGSTOP, a batch system, a virtual machine), and probably the others with it. Not thread-safe.
    """

    LONGEST_STEP_NS = NANOSECONDS // 2
    """The time between two readings counts up to this much."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._read_ns = self._attended_ns = clock.mono_ns()

    def wall_ns(self) -> int:
        """Return nanoseconds since 1970-01-01 UTC, which do not stand still."""
        return self._clock.wall_ns()

    def mono_ns(self) -> int:
        """Return nanoseconds of a clock that never goes back; meaningful only within this process."""
        now_ns = self._clock.mono_ns()
        self._attended_ns += min(now_ns - self._read_ns, self.LONGEST_STEP_NS)
        self._read_ns = now_ns
        return self._attended_ns


def thread_cpu_ns() -> int:
    """Return the CPU time of the calling thread so far, in nanoseconds; to measure what something costs."""
    return time.thread_time_ns()


@dataclass
class ManualClock:
    """A clock that advances only when asked to, for tests and replay."""

    wall: int = 1_700_000_000 * NANOSECONDS
    mono: int = 1_000 * NANOSECONDS

    def wall_ns(self) -> int:
        """Return the wall-clock time that was set."""
        return self.wall

    def mono_ns(self) -> int:
        """Return the monotonic time that was set."""
        return self.mono

    def advance(self, seconds: float) -> None:
        """Advance both clocks by `seconds`."""
        step = round(seconds * NANOSECONDS)
        self.wall += step
        self.mono += step


def iso_utc(wall_ns: int) -> str:
    """Write `wall_ns` as ISO-8601 in UTC with microseconds and a `Z`, e.g. 2026-01-31T12:00:00.000000Z."""
    seconds, below_second_ns = divmod(wall_ns, NANOSECONDS)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{below_second_ns // 1000:06d}Z"


def local_time_of_day(wall_ns: int) -> str:
    """Write `wall_ns` as HH:MM:SS in the viewer's time zone."""
    return f"{datetime.fromtimestamp(wall_ns / NANOSECONDS, UTC).astimezone():%H:%M:%S}"
