"""A work log added up: what each device has done, what remains of the first assignment, and what was moved.

Totals of a long run must not take long, so an update only reads what was added to the log since the last one. The
result does not depend on the order of events. A plan that grows, and a file that is completed or stolen once more,
are rare: they make the totals start over. Pure.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import count, islice, repeat
from math import fsum
from typing import NamedTuple

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect.device_totals import DeviceTotals
from virnucpro_bus.effect.speeds import Speed
from virnucpro_bus.effect.work_log import Steal, WorkLog

MAX_STEALS_REPORTED = 1_000
"""How many of the latest steals the effect lists one by one."""
_PENDING = -1


class CompletedFile(NamedTuple):
    """How a file was completed: when, by the host's monotonic clock, how long it took, and on which device."""

    end_ns: int
    seconds: float
    device: str


@dataclass(slots=True)
class Remaining:
    """The files first assigned to a device that are not done. Work is as estimated, at least 1 per file."""

    files: int = 0
    work: int = 0
    biggest: int = 0
    """The work of the biggest file."""

    def add(self, files: int, work: int) -> None:
        """Add so many files with so much work in all; or remove them, if negative."""
        self.files += files
        self.work += work


class Moves:
    """Files that one device has stolen from another and completed. Times are by the host's monotonic clock."""

    __slots__ = ("_ends_ns", "_seconds", "took_ns")

    def __init__(self) -> None:
        self.took_ns = 0
        """How long all of them took the thief."""
        self._ends_ns = array("q")
        self._seconds = array("d")

    @property
    def files(self) -> int:
        """How many they are."""
        return len(self._ends_ns)

    def add(self, end_ns: int, seconds: float) -> None:
        """Add one."""
        self.took_ns += round(seconds * NANOSECONDS)
        self._ends_ns.append(end_ns)
        self._seconds.append(seconds)

    def work(self, thief: Speed | None) -> float:
        """The work that they turned out to be, by the thief's speed at the time; 0 while that is unknown."""
        if thief is None:
            return 0.0
        if len(thief.phases) == 1:
            return self.took_ns * thief.rate / NANOSECONDS
        each = zip(self._ends_ns, self._seconds, strict=True)
        return fsum(seconds * thief.rate_until(end_ns) for end_ns, seconds in each)


class WorkTotals:
    """The totals of one session. Times are by the host's monotonic clock. Not thread-safe, like the log."""

    def __init__(self, log: WorkLog, since_ns: int) -> None:
        """`since_ns` is the start of the session: what ended before belongs to an earlier one."""
        self._log = log
        self._columns = log.files, log.ends_ns, log.seconds, log.devices
        self._since_ns = since_ns
        self._revision = log.revision
        self._assigned, self._parts = log.assigned, (len(log.assigned), len(log.own_plans))
        self._positions: dict[str, int] = {}
        """The position of each file of the plan in the next three columns: …"""
        self._owners: list[str] = []
        """… the device that it was first assigned to, …"""
        self._costs: list[int] = []
        """… its estimated work, …"""
        self._records: array[int]
        """… and the index in the log of its last completion; _PENDING: not completed."""
        self._planned: dict[str, Remaining] = defaultdict(Remaining)
        """The files and the work that were first assigned to each device."""
        self._by_size: dict[str, list[int]] | None = None
        """The positions of each device's files, the biggest last. Completed ones are removed from the end.

        None: not needed yet, as for a run that is over.
        """
        self._done_before: set[str] = set()
        """Files that were completed in earlier sessions and are not in the plan."""
        self._completions_read = 0
        self._read_plan()
        self._reset()

    def _read_plan(self) -> None:
        positions, owners, costs = self._positions, self._owners, self._costs
        for device, files, their_costs in self._log.parts(self._since_ns):
            fresh = dict(zip(files, range(len(owners), len(owners) + len(files)), strict=True))
            # Nearly always each file is planned once: then the part is added as a whole.
            if len(fresh) == len(files) and positions.keys().isdisjoint(fresh):
                positions.update(fresh)
                owners += repeat(device, len(files))
                costs += their_costs
                self._planned[device].add(len(files), sum(their_costs) + their_costs.count(0))
            else:
                self._read_again(device, files, their_costs)
        self._records = array("i", [_PENDING]) * len(owners)

    def _read_again(self, device: str, files: Sequence[str], their_costs: Sequence[int]) -> None:
        """Read a part of the plan with files that were planned before: of two plans of one the greatest counts."""
        positions, owners, costs = self._positions, self._owners, self._costs
        for file, cost in zip(files, their_costs, strict=True):
            position = positions.setdefault(file, len(owners))
            if position == len(owners):
                owners.append(device)
                costs.append(cost)
            elif (device, cost) > (owners[position], costs[position]):
                self._planned[owners[position]].add(-1, -(costs[position] or 1))
                owners[position], costs[position] = device, cost
            else:
                continue
            self._planned[device].add(1, cost or 1)

    def _reset(self) -> None:
        """Start over with nothing added up, but with the plan and completions that were read."""
        self.devices: dict[str, DeviceTotals] = defaultdict(DeviceTotals)
        """By device key."""
        self.moved: dict[tuple[str, str], Moves] = defaultdict(Moves)
        """By the keys of thief and victim."""
        self.latest: list[Steal] = []
        """The last MAX_STEALS_REPORTED steals whose files the thief has completed, oldest first."""
        self._open_steals: dict[str, Steal] = {}
        """Steals of files that are not done, by file."""
        self._failures_read = self._steals_read = 0
        planned = self._planned.items()
        self._remaining = {owner: Remaining(each.files, each.work) for owner, each in planned if each.files}

    # Updating.

    def is_valid_for(self, log: WorkLog, since_ns: int) -> bool:
        """Whether these are totals of `log` and of the session of `since_ns`, and `update` can continue them."""
        assigned = log.assigned
        same_plan = assigned is self._assigned and (len(assigned), len(log.own_plans)) == self._parts
        return log is self._log and same_plan and log.revision == self._revision and since_ns == self._since_ns

    def update(self) -> None:
        """Add up what was added to the log since the last update."""
        fresh, is_replaced = self._read_completions()
        if is_replaced:
            self._reset()
            fresh = [position for position, record in enumerate(self._records) if record != _PENDING]
        self._add(fresh)
        self._read_failures()
        self._read_steals()

    def _read_completions(self) -> tuple[list[int], bool]:
        """The positions of files that were not done before; whether a file that was has been done again."""
        files, ends_ns, _, _ = self._columns
        records, fresh, is_replaced, since_ns = self._records, list[int](), False, self._since_ns
        first, self._completions_read = self._completions_read, len(files)
        found = map(self._positions.get, islice(files, first, None))
        for number, position, end_ns in zip(count(first), found, islice(ends_ns, first, None), strict=False):
            if end_ns < since_ns:
                if position is None:
                    self._done_before.add(files[number])
            elif position is not None:
                known = records[position]
                if known == _PENDING:
                    records[position] = number
                    fresh.append(position)
                elif self._completed(number) > self._completed(known):
                    records[position], is_replaced = number, True
        return fresh, is_replaced

    def _add(self, positions: Sequence[int]) -> None:
        files, ends_ns, seconds, devices = self._columns
        numbers = list(map(self._records.__getitem__, positions))
        works = [cost or 1 for cost in map(self._costs.__getitem__, positions)]
        remaining = self._remaining
        for owner, work in zip(map(self._owners.__getitem__, positions), works, strict=True):
            remaining[owner].add(-1, -work)
        places = defaultdict[str, list[int]](list)
        for place, device in enumerate(map(devices.__getitem__, numbers)):
            places[device].append(place)
        for device, its_places in places.items():
            its_numbers = [numbers[place] for place in its_places]
            self.devices[device].complete(
                [works[place] for place in its_places],
                [ends_ns[number] for number in its_numbers],
                [seconds[number] for number in its_numbers],
            )
        if self._open_steals:
            for number in numbers:
                if (steal := self._open_steals.pop(files[number], None)) is not None:
                    self._add_move(steal, number)

    def _read_failures(self) -> None:
        for end_ns, seconds, device in islice(self._log.failed, self._failures_read, None):
            if end_ns >= self._since_ns:
                self.devices[device].fail(end_ns, seconds)
        self._failures_read = len(self._log.failed)

    def _read_steals(self) -> None:
        steals = self._log.steals
        # New ones are at the end.
        for steal in islice(reversed(steals.values()), len(steals) - self._steals_read):
            position = self._positions.get(steal.file)
            if position is None or self._owners[position] == steal.thief:
                continue
            if (record := self._records[position]) == _PENDING:
                self._open_steals[steal.file] = steal
            else:
                self._add_move(steal, record)
        self._steals_read = len(steals)
        self.latest.sort()
        del self.latest[:-MAX_STEALS_REPORTED]

    def _add_move(self, steal: Steal, record: int) -> None:
        """Count the steal of a completed file as a move, if its thief has completed it."""
        if self._log.devices[record] == steal.thief:
            self.moved[steal.thief, steal.victim].add(self._log.ends_ns[record], self._log.seconds[record])
            self.latest.append(steal)

    # Reading.

    @property
    def planned(self) -> int:
        """How many files are in the plan."""
        return len(self._positions)

    @property
    def known(self) -> int:
        """How many files are in the plan, or were completed before it was made."""
        return len(self._positions) + len(self._done_before)

    @property
    def owners(self) -> Set[str]:
        """The devices to which files of the plan were first assigned."""
        return self._remaining.keys()

    def pending_position(self, file: str) -> int | None:
        """The position in the plan of a file that is not done; None if it is done, or not in the plan."""
        position = self._positions.get(file)
        return None if position is None or self._records[position] != _PENDING else position

    def work(self, position: int) -> int:
        """The estimated work of the file at this position, at least 1."""
        return self._costs[position] or 1

    def remaining(self, taken: Collection[int]) -> dict[str, Remaining]:
        """What remains of each device's first assignment, without the pending files at the positions `taken`."""
        found = {owner: Remaining(each.files, each.work) for owner, each in self._remaining.items()}
        for position in taken:
            found[self._owners[position]].add(-1, -(self._costs[position] or 1))
        records = self._records
        for owner, remaining in found.items():
            if remaining.files:
                positions = self._positions_by_size()[owner]
                while records[positions[-1]] != _PENDING:
                    positions.pop()
                pending = (at for at in reversed(positions) if records[at] == _PENDING and at not in taken)
                remaining.biggest = self.work(next(pending))
        return found

    def _positions_by_size(self) -> dict[str, list[int]]:
        if self._by_size is None:
            self._by_size = defaultdict(list)
            # Those in the order of the plan, which are there already: a million new ones take 32 MB.
            for position, owner in zip(self._positions.values(), self._owners, strict=True):
                self._by_size[owner].append(position)
            for positions in self._by_size.values():
                positions.sort(key=self._costs.__getitem__)
        return self._by_size

    def open_steal(self, file: str) -> Steal | None:
        """The last steal of a file that is not done; None if there is none, or its thief is its first owner."""
        return self._open_steals.get(file)

    def done(self, file: str) -> CompletedFile | None:
        """The last completion of a file of the plan; None if it is not done."""
        position = self._positions.get(file)
        if position is None or (record := self._records[position]) == _PENDING:
            return None
        return self._completed(record)

    def files(self) -> Iterator[tuple[str, int, CompletedFile]]:
        """The completed files of the plan, in its order: first owner, estimated work, and last completion."""
        for owner, cost, record in zip(self._owners, self._costs, self._records, strict=True):
            if record != _PENDING:
                yield owner, cost, self._completed(record)

    def _completed(self, record: int) -> CompletedFile:
        log = self._log
        return CompletedFile(log.ends_ns[record], log.seconds[record], log.devices[record])


class TotalsCache:
    """Keeps the totals of a log, so that computing them once more only reads what is new. Not thread-safe."""

    def __init__(self) -> None:
        self._totals: WorkTotals | None = None

    def of(self, log: WorkLog, since_ns: int) -> WorkTotals:
        """Return the totals of `log`, valid until it grows. `since_ns` is the start of the session."""
        if self._totals is None or not self._totals.is_valid_for(log, since_ns):
            self._totals = WorkTotals(log, since_ns)
        self._totals.update()
        return self._totals
