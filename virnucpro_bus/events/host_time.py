"""One axis of time for a host, on which the times of different boots can be compared.

The monotonic clock of a machine restarts at 0 when the machine does. All events of a stream are of one process,
and so of one boot: a stream is placed on the axis by its first event, and one number is added to all its times. On
the axis of a host that never restarted, the times are those of its monotonic clock. Pure.
"""

from __future__ import annotations

import dataclasses
from bisect import insort
from collections.abc import Callable
from operator import attrgetter
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.codec import Foreign
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import MAX_COUNT, Count

MIN_BOOT_NS = 10 * NANOSECONDS
"""Boot times that differ by more are of two boots, or of a wall clock that was set: no machine boots in less."""
MAX_BOOT_TIMES = 100
"""How many boot times are kept, so that a wall clock that is set all the time does not fill the memory."""
UNKNOWN_TIME = 1 << 64
"""The time of receipt where it is unknown. So late that it makes no difference of clocks the least."""
NEVER_COMPARED = 1 << 63
"""The difference of clocks that were never compared; greater than any other."""

AnyEnvelope = Envelope | Foreign
TimeOfDay = Callable[[int, int], int]
"""Returns when an event happened, in ns since 1970, from its times by its host's wall clock and on the axis."""


def by_own_clock(wall_ns: int, at_ns: int) -> int:
    """The TimeOfDay that is what the host's wall clock showed."""
    return wall_ns


class BootTime(Struct, frozen=True, array_like=True):
    """When the monotonic clock was 0, and what is added to its times to get the time on the axis."""

    wall_ns: Annotated[int, Meta(ge=-MAX_COUNT, le=MAX_COUNT)]
    """By the host's wall clock, which may have been set since: one boot may have several boot times."""
    base_ns: Count


class HostTime(Struct, array_like=True):
    """Places the streams of one host on one axis of time. Not thread-safe."""

    boots: list[BootTime] = []
    """By `base_ns`: those of the last boot are at the end."""

    @property
    def base_ns(self) -> int:
        """What is added to the monotonic times of the last boot."""
        return self.boots[-1].base_ns if self.boots else 0

    def place(self, first: AnyEnvelope, newest_ns: int) -> int:
        """Return what is added to the monotonic times of a stream, by its first event.

        `newest_ns` is the latest time on the axis so far.
        """
        known_ns = self._known_base_ns(first.wall_ns, first.mono_ns)
        if known_ns is not None:
            return known_ns
        boot_ns, base_ns = first.wall_ns - first.mono_ns, self.base_ns
        if self.boots:
            booted_ns = self.boots[-1].wall_ns
            is_set_back = first.mono_ns + base_ns < newest_ns - MIN_BOOT_NS
            is_booted_since = boot_ns > booted_ns + newest_ns - base_ns - MIN_BOOT_NS
            # Else the wall clock was set: by less than the machine has been up, if forward.
            if is_set_back or is_booted_since:
                # As far apart as by the wall clock, but never before what was done in an earlier boot.
                base_ns = max(base_ns, base_ns + boot_ns - booted_ns, newest_ns - first.mono_ns)
        self._add(boot_ns, base_ns)
        return self.base_ns

    def observe(self, wall_ns: int, mono_ns: int, base_ns: int) -> None:
        """Note the times of an event in the boot of `base_ns`, so that a wall clock that was set is no restart."""
        if self._known_base_ns(wall_ns, mono_ns) is None:
            self._add(wall_ns - mono_ns, base_ns)

    def _known_base_ns(self, wall_ns: int, mono_ns: int) -> int | None:
        boot_ns = wall_ns - mono_ns
        for boot in reversed(self.boots):
            if abs(boot_ns - boot.wall_ns) <= MIN_BOOT_NS:
                return boot.base_ns
        return None

    def _add(self, boot_ns: int, base_ns: int) -> None:
        insort(self.boots, BootTime(boot_ns, min(base_ns, MAX_COUNT)), key=attrgetter("base_ns"))
        del self.boots[:-MAX_BOOT_TIMES]


def moved(envelope: AnyEnvelope, base_ns: int) -> AnyEnvelope:
    """Return the event with `base_ns` added to its monotonic time."""
    if not base_ns:
        return envelope
    at_ns = min(envelope.mono_ns + base_ns, MAX_COUNT)
    if isinstance(envelope, Foreign):
        return dataclasses.replace(envelope, mono_ns=at_ns)
    return msgspec.structs.replace(envelope, mono_ns=at_ns)


def when(wall_ns: int, envelope: Envelope) -> int:
    """When it was `wall_ns` by the wall clock, before the event in `envelope`, by the monotonic time there."""
    return envelope.mono_ns - max(0, envelope.wall_ns - wall_ns)
