"""What was planned, and when and where each file was done: what the effect of stealing is figured out from.

A small record a file. Pure, and the same whatever the order of arrival: of two answers the later one is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from virnucpro_bus.events.vocabulary import (
    Count,
    PlannedFile,
    Seconds,
)


class Steal(NamedTuple):
    """One stolen file. Sorts by the time of the decision."""

    stolen_at_ns: int
    thief: str
    victim: str
    file: str
    attempt: int


MAX_UNPLANNED_FILES = 5_000
"""So many files are remembered while no plan is known; where nobody plans, memory must not grow for ever."""


# Its columns are looked up with every completion, which a plain class does faster than a Struct.
@dataclass(slots=True, eq=False)
class WorkLog:
    """Of one host. `host_fold.py` fills it, `totals.py` adds it up. Not thread-safe."""

    assigned: list[tuple[str, list[str], list[Count]]] = field(default_factory=list)
    """The initial assignment of the last session: a device's key, files, and the estimated work of each."""
    files: list[str] = field(default_factory=list)
    """What was completed, in all sessions; the next three lists say of each file …"""
    ends_ns: list[Count] = field(default_factory=list)
    """… when that was, by the host's monotonic clock, …"""
    seconds: list[Seconds] = field(default_factory=list)
    """… how long it had taken …"""
    devices: list[str] = field(default_factory=list)
    """… and where."""
    failed: list[tuple[Count, Seconds, str]] = field(default_factory=list)
    """Failed attempts of all sessions: when each ended, how long it took, the device."""
    steals: dict[str, Steal] = field(default_factory=dict)
    """By file, of all sessions: the last time that it was stolen."""
    passed_over: Count = 0
    """Completions that were not remembered. Where there were any, a plan that comes later is no longer enough."""
    revision: Count = 0
    """Raised when an entry is replaced rather than added: sums of before are of no use then."""

    def __post_init__(self) -> None:
        """Raises ValueError when what was read from a snapshot does not belong together."""
        counts = {len(column) for column in (self.files, self.ends_ns, self.seconds, self.devices)}
        if len(counts) != 1 or any(len(files) != len(costs) for _, files, costs in self.assigned):
            raise ValueError("not as many times, or costs, as files")

    def assign(self, device: str, files: tuple[PlannedFile, ...]) -> None:
        """These files stand in the device's queue at first."""
        self.assigned.append((device, [each.file for each in files], [each.cost for each in files]))

    def complete(self, file: str, end_ns: int, seconds: float, device: str) -> None:
        """A file has been done."""
        # Columns and not a record a file, nor a place in a dict: that costs a tenth.
        if self.assigned or len(self.files) < MAX_UNPLANNED_FILES:
            self.files.append(file)
            self.ends_ns.append(end_ns)
            self.seconds.append(seconds)
            self.devices.append(device)
        else:
            self.passed_over += 1

    def reset_times(self) -> None:
        """The clock has begun anew: what was done before that has ended before all that comes."""
        self.ends_ns[:] = [0] * len(self.ends_ns)
        self.failed[:] = [(0, seconds, device) for _, seconds, device in self.failed]
        self.revision += 1

    def fail(self, end_ns: int, seconds: float, device: str) -> None:
        """An attempt has failed."""
        if len(self.failed) < MAX_UNPLANNED_FILES or self.assigned:
            self.failed.append((end_ns, seconds, device))

    def steal(self, steal: Steal) -> None:
        """A file has changed hands."""
        known = self.steals.get(steal.file)
        if known is not None:
            if steal > known:
                self.steals[steal.file] = steal
                self.revision += 1
        elif len(self.steals) < MAX_UNPLANNED_FILES or self.assigned:
            self.steals[steal.file] = steal
