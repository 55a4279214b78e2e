"""The only place where the time is read.

Everything else is handed a `Clock`, so that tests and replays decide what time it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

NANOSECONDS = 1_000_000_000


class Clock(Protocol):
    """What the program asks of time. Safe to call from any thread."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC; for display only, it may jump."""
        ...

    def mono_ns(self) -> int:
        """Nanoseconds of a clock that never goes back; shared by all processes of one host."""
        ...


class SystemClock:
    """The machine's own clocks."""

    # The functions themselves: a call of our own around them would double their cost, and every event takes two.
    wall_ns = staticmethod(time.time_ns)
    mono_ns = staticmethod(time.monotonic_ns)


def thread_cpu_ns() -> int:
    """CPU time in nanoseconds that the calling thread has taken so far; to know what something costs."""
    return time.thread_time_ns()


@dataclass
class ManualClock:
    """A clock that moves only when told to (tests, replay)."""

    wall: int = 1_700_000_000 * NANOSECONDS
    mono: int = 1_000 * NANOSECONDS

    def wall_ns(self) -> int:
        return self.wall

    def mono_ns(self) -> int:
        return self.mono

    def advance(self, seconds: float) -> None:
        """Move both clocks on by `seconds`."""
        step = round(seconds * NANOSECONDS)
        self.wall += step
        self.mono += step


def iso_utc(wall_ns: int) -> str:
    """`wall_ns` as ISO-8601 in UTC with microseconds and a `Z`, e.g. 2026-01-31T12:00:00.000000Z."""
    seconds, rest = divmod(wall_ns, NANOSECONDS)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def local_time_of_day(wall_ns: int) -> str:
    """`wall_ns` as HH:MM:SS in the viewer's time zone."""
    return f"{datetime.fromtimestamp(wall_ns / NANOSECONDS, UTC).astimezone():%H:%M:%S}"
