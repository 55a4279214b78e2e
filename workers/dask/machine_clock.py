"""The clock of another machine: its times as our own, by how long its messages are on their way."""

from __future__ import annotations

from virnucpro_bus.clock import NANOSECONDS

WINDOW_NS = 60 * NANOSECONDS
"""The quickest message of this one and of the last such period counts: clocks drift apart, 6 ms in that time."""


class MachineClock:
    """Moves the monotonic times of one other machine onto ours. Not thread-safe.

    No message arrives before it is sent. So the quickest one bounds how far the clocks are apart; how long it took
    is by how much a time is taken to be later than it was.
    """

    def __init__(self) -> None:
        self._least: int | None = None
        """The least difference between arrival and sending in the present window …"""
        self._least_before: int | None = None
        """… and in the one before."""
        self._window_began_ns = 0

    def moved(self, sent_ns: int, received_ns: int) -> int:
        """Return the other machine's time `sent_ns` on our clock, of a message that arrived at `received_ns`.

        Never later than its arrival.
        """
        if self._least is None or received_ns - self._window_began_ns >= WINDOW_NS:
            self._least_before, self._least = self._least, None
            self._window_began_ns = received_ns
        apart = received_ns - sent_ns
        self._least = apart if self._least is None else min(self._least, apart)
        least = self._least if self._least_before is None else min(self._least, self._least_before)
        return max(0, sent_ns + least)
