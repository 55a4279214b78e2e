"""What the process of a worker uses, from the totals in its last heartbeats. Pure."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.vocabulary import Count, Heartbeat
from virnucpro_bus.metrics import is_stale_age

USAGES_KEPT = 3
"""Of heartbeats, which come every second: rates are means over two seconds, as the load of a GPU is."""


class UsageSample(NamedTuple):
    """The usage in heartbeat number `seq` of a stream, sent at `mono_ns` on the host's axis of time."""

    seq: Count
    mono_ns: Count
    cpu_milliseconds: Count | None
    resident_bytes: Count | None
    read_bytes: Count | None


class ProcessFigures(NamedTuple):
    """What a process and its descendants use at present. None: unknown."""

    cpu_percent: float | None = None
    """Of one core: 250 is two cores and a half."""
    resident_bytes: int | None = None
    read_bytes_per_second: float | None = None


def add_usage(kept: list[UsageSample], seq: int, mono_ns: int, heartbeat: Heartbeat) -> None:
    """Add the usage in a heartbeat, if it has any, to `kept`, the latest ones in order."""
    usage = heartbeat.cpu_milliseconds, heartbeat.resident_bytes, heartbeat.read_bytes
    if any(each is not None for each in usage):
        insort(kept, UsageSample(seq, mono_ns, *usage), key=attrgetter("seq"))
        del kept[:-USAGES_KEPT]


def process_figures(samples: Sequence[UsageSample], now_ns: int) -> ProcessFigures:
    """Return what a process uses at `now_ns`; all unknown if its last sample is stale."""
    if not samples or is_stale_age((now_ns - samples[-1].mono_ns) / NANOSECONDS):
        return ProcessFigures()
    first, last = samples[0], samples[-1]
    seconds = (last.mono_ns - first.mono_ns) / NANOSECONDS
    cpu_per_second = _per_second(first.cpu_milliseconds, last.cpu_milliseconds, seconds)
    return ProcessFigures(
        None if cpu_per_second is None else cpu_per_second / 10,
        last.resident_bytes,
        _per_second(first.read_bytes, last.read_bytes, seconds),
    )


def _per_second(first: int | None, last: int | None, seconds: float) -> float | None:
    """How fast a total rises; None if it is not known twice, or fell, as when a descendant has left its parent."""
    if first is None or last is None or last < first or seconds <= 0:
        return None
    return (last - first) / seconds
