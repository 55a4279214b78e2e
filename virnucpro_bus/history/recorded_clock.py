"""The clock by which a hub records when it received each event, as a viewer of the live bus knows it.

Its times are in the capture. A viewer that joins late compares with them, host by host, how long ago each one was
last heard; so it sees what viewers see that have been there since the beginning.
"""

from __future__ import annotations

from virnucpro_bus.clock import Clock


class RecordedClock:
    """A Clock whose monotonic time is that of the records of one live capture. Set by one thread, read by any."""

    def __init__(self, clock: Clock) -> None:
        """`clock` is the viewer's."""
        self._clock = clock
        self._offset_ns = 0
        """The viewer's monotonic clock minus this one."""
        self._is_measured = False

    def wall_ns(self) -> int:
        """Return the viewer's wall-clock time."""
        return self._clock.wall_ns()

    def mono_ns(self) -> int:
        """Return the time that an event would be recorded with now."""
        return self._clock.mono_ns() - self._offset_ns

    def estimate(self, now_ns: int) -> None:
        """Set the clock, until a time is observed: `now_ns` is what another clock shows, which may be off."""
        if not self._is_measured:
            self._offset_ns = self._clock.mono_ns() - now_ns

    def observe(self, recorded_ns: int) -> None:
        """Note that this time was recorded before now, and probably just before. The least delay counts."""
        offset_ns = self._clock.mono_ns() - recorded_ns
        if not self._is_measured or offset_ns < self._offset_ns:
            self._is_measured, self._offset_ns = True, offset_ns
