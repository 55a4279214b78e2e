"""The log of one host's work: the plans, when and where each file was done, failed attempts and steals.

The effect of stealing is computed from it. It keeps a few values per file. Pure; the order in which events arrive
does not matter: of two events about the same fact the later one is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from virnucpro_bus.events.run_events import OWN_POLICY, PlannedFile, RunStarted
from virnucpro_bus.events.vocabulary import Count, Name, Seconds
from virnucpro_bus.text import visible

Part = tuple[str, list[str], list[Count]]
"""A part of a plan: device key, files, and the estimated work of each."""
MAX_UNPLANNED_FILES = 5_000
"""How many files are kept while no plan is known; so memory stays bounded for workers without a coordinator."""


class Steal(NamedTuple):
    """One stolen file. Sorts by the time of the decision."""

    decided_ns: int
    """On the host's axis of time, on which a wall clock that is set changes nothing."""
    thief: str
    victim: str
    file: str
    attempt: int
    wall_ns: int = 0
    """When it was decided by the wall clock, nanoseconds since 1970; for display only."""

    def is_same(self, other: Steal) -> bool:
        """Whether both report the same steal, which worker and launcher do."""
        return self[1:] == other[1:]


# Every completion reads its columns, which is faster with a plain class than with a Struct.
@dataclass(slots=True, eq=False)
class WorkLog:
    """The plan of one host's last session, and the work done in all sessions. Not thread-safe.

    `host_fold.py` fills it, `totals.py` adds it up. Times are on the host's axis of time (`host_time.py`).
    """

    assigned: list[Part] = field(default_factory=list)
    """The initial assignment of the last session, by a coordinator."""
    own_plans: list[tuple[Count, Part]] = field(default_factory=list)
    """What workers without a coordinator have planned themselves, and when: valid in later sessions, too."""
    own_folders: dict[str, Name] = field(default_factory=dict)
    """A digest of the folder of each file in `own_plans`, as far as known; "" where files of one name clash."""
    clashes: Count = 0
    """How many names in `own_plans` stand for files in several folders, which makes these plans useless."""
    files: list[str] = field(default_factory=list)
    """The completed files of all sessions. The next three lists have the same length; they hold for each file …"""
    ends_ns: list[Count] = field(default_factory=list)
    """… when it was completed, …"""
    seconds: list[Seconds] = field(default_factory=list)
    """… how long it took …"""
    devices: list[str] = field(default_factory=list)
    """… and the key of the device that did it."""
    failed: list[tuple[Count, Seconds, str]] = field(default_factory=list)
    """Failed attempts of all sessions: when each ended, how long it took, and the device's key."""
    steals: dict[str, Steal] = field(default_factory=dict)
    """The last steal of each stolen file, in all sessions."""
    dropped: Count = 0
    """Completions that were not kept, for MAX_UNPLANNED_FILES; more than 0 makes a later plan useless."""
    revision: Count = 0
    """Increases when an entry is replaced instead of added, which invalidates totals."""

    @property
    def has_plan(self) -> bool:
        """Whether any part of a plan is known."""
        return bool(self.assigned or self.own_plans)

    def parts(self, since_ns: int) -> Iterator[Part]:
        """Yield the parts of the plan of a session that began at `since_ns`."""
        yield from self.assigned
        yield from (part for at_ns, part in self.own_plans if at_ns >= since_ns)

    def files_total(self, run: RunStarted | None, since_ns: int) -> int | None:
        """Return the number of files of the run, whose session began at `since_ns`; None: unknown.

        Of workers that decide themselves these are the files that are planned, or done without a plan.
        """
        if run is None:
            return None
        if run.policy != OWN_POLICY:
            return run.files_total or None
        known = {file for _, files, _ in self.parts(since_ns) for file in files}.union(self.files)
        # Events of plans may be lost, and the hub counts once a second.
        return None if self.clashes else max(run.files_total, len(known))

    def warning(self) -> str | None:
        """Return what is wrong with the plans of own workers, in one line; None: nothing is known to be."""
        if not self.clashes:
            return None
        # A snapshot may have been made to count clashes without a name.
        name = visible(min((file for file, folder in self.own_folders.items() if not folder), default="a file"))
        return (
            f"{name}: workers plan files of this name in several folders, so progress is unknown; pass the files "
            "of all workers to Publisher.plan, as among"
        )

    def is_stealing(self, run: RunStarted | None) -> bool:
        """Whether devices take files of each other: of workers that decide themselves, whether one ever has."""
        return bool(self.steals) if run is None or run.policy == OWN_POLICY else run.policy != "off"

    def assign(self, device: str, files: tuple[PlannedFile, ...]) -> None:
        """Add a part of the plan: files that are in the device's queue at first."""
        self.assigned.append(_part(device, files))

    def add_own_plan(self, at_ns: int, device: str, files: tuple[PlannedFile, ...]) -> None:
        """Add what the device's own worker plans to do, as published at `at_ns`."""
        self.own_plans.append((at_ns, _part(device, files)))
        for each in files:
            if each.origin is not None:
                known = self.own_folders.setdefault(each.file, each.origin.folder)
                if known not in ("", each.origin.folder):
                    self.own_folders[each.file] = ""
                    self.clashes += 1

    def complete(self, file: str, end_ns: int, seconds: float, device: str) -> None:
        """Add a completed file."""
        # Columns cost a tenth of a record per file, or of an entry in a dict.
        if self.assigned or self.own_plans or len(self.files) < MAX_UNPLANNED_FILES:
            self.files.append(file)
            self.ends_ns.append(end_ns)
            self.seconds.append(seconds)
            self.devices.append(device)
        else:
            self.dropped += 1

    def fail(self, end_ns: int, seconds: float, device: str) -> None:
        """Add a failed attempt."""
        if len(self.failed) < MAX_UNPLANNED_FILES or self.has_plan:
            self.failed.append((end_ns, seconds, device))

    def steal(self, steal: Steal) -> None:
        """Add a steal; it replaces an earlier one of the same file."""
        known = self.steals.get(steal.file)
        if known is not None:
            if steal > known:
                self.steals[steal.file] = steal
                self.revision += 1
        elif len(self.steals) < MAX_UNPLANNED_FILES or self.has_plan:
            self.steals[steal.file] = steal

    def replace_steal(self, reported: Steal, own: Steal) -> None:
        """Replace a steal by another report of the same one, whose time is more exact."""
        if self.steals.get(own.file) == reported:
            self.steals[own.file] = own
            self.revision += 1


def _part(device: str, files: tuple[PlannedFile, ...]) -> Part:
    return device, [each.file for each in files], [each.cost for each in files]
