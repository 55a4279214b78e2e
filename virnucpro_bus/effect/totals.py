"""A book added up: what each device has done, what is left of what it was first given, and what has moved.

A look at a long run must not take long, so only what the book has got since the last look is read. The sums are
the same whatever came in which order: a plan that grows, a file that is done again and one that is stolen again,
all of them rare, make everything be added up anew. Pure.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect.device_totals import DeviceTotals
from virnucpro_bus.effect.work_log import Steal, WorkLog

MAX_STEALS_REPORTED = 1_000
"""The latest ones, of which the effect is told one by one."""
_NEVER = -1


class CompletedFile(NamedTuple):
    """A completed file: when it ended, by the host's monotonic clock, how long it took, and where."""

    end_ns: int
    seconds: float
    device: str


@dataclass(slots=True)
class Remaining:
    """What was first given to a device and is not done; its work is as estimated, at least 1 a file."""

    files: int = 0
    work: int = 0
    biggest: int = 0


@dataclass(slots=True)
class Moves:
    """Files that one device has stolen from another and done: how many, and how long they took it."""

    files: int = 0
    took_ns: int = 0


class WorkTotals:
    """Of one session. Times are by the host's monotonic clock. Not thread-safe: its owner is the book's."""

    def __init__(self, book: WorkLog, since_ns: int) -> None:
        """`since_ns`: what ended before that is of another session."""
        self._book = book
        self._columns = book.files, book.ends_ns, book.seconds, book.devices
        self._since_ns = since_ns
        self._revision = book.revision
        self._assigned, self._parts = book.assigned, len(book.assigned)
        self._places: dict[str, int] = {}
        """Where the next three tell of a file of the plan: …"""
        self._owners: list[str] = []
        """… the device that it was first given to, …"""
        self._costs: list[int] = []
        """… its estimated work, …"""
        self._records: array[int]
        """… and where the book tells how it was done the last time."""
        self._by_size: dict[str, list[int]] = defaultdict(list)
        """The places of each device's files, the biggest last; of these, those that are done are taken away."""
        self._before: set[str] = set()
        """Files that were done in earlier sessions, and are not in the plan."""
        self._completions_read = 0
        self._lay_plan()
        self._begin()

    def _lay_plan(self) -> None:
        places, owners, costs = self._places, self._owners, self._costs
        for device, files, their_costs in self._assigned:
            for file, cost in zip(files, their_costs, strict=True):
                place = places.setdefault(file, len(owners))
                if place == len(owners):
                    owners.append(device)
                    costs.append(cost)
                elif (device, cost) > (owners[place], costs[place]):
                    owners[place], costs[place] = device, cost
        self._records = array("q", [_NEVER]) * len(owners)
        for place, owner in enumerate(owners):
            self._by_size[owner].append(place)
        for its in self._by_size.values():
            its.sort(key=costs.__getitem__)

    def _begin(self) -> None:
        """Nothing is added up yet."""
        self.devices: dict[str, DeviceTotals] = defaultdict(DeviceTotals)
        """By device key."""
        self.moved: dict[tuple[str, str], Moves] = defaultdict(Moves)
        """By thief and victim."""
        self.latest: list[Steal] = []
        """The last STEALS_TOLD of those moves, oldest first."""
        self._open_steals: dict[str, Steal] = {}
        """Of files that are not done."""
        self._failures_read = self._steals_read = 0
        self._left: dict[str, Remaining] = defaultdict(Remaining)
        for owner, cost in zip(self._owners, self._costs, strict=True):
            left = self._left[owner]
            left.files += 1
            left.work += cost or 1

    # Reading on.

    def is_valid_for(self, book: WorkLog, since_ns: int) -> bool:
        """Whether these are of `book`, of which nothing was replaced since, and of the session of `since_ns`."""
        assigned = book.assigned
        same_plan = assigned is self._assigned and len(assigned) == self._parts
        return book is self._book and same_plan and book.revision == self._revision and since_ns == self._since_ns

    def update(self) -> None:
        """Add up what the book has got since the last time."""
        fresh, is_replaced = self._read_completions()
        if is_replaced:
            self._begin()
            fresh = [place for place, record in enumerate(self._records) if record != _NEVER]
        self._add(fresh)
        self._read_failures()
        self._read_steals()

    def _read_completions(self) -> tuple[list[int], bool]:
        """The places of files that were not done before; whether a file that was has been done again."""
        files, ends_ns, _, _ = self._columns
        places, records, fresh, is_replaced = self._places, self._records, list[int](), False
        first, self._completions_read = self._completions_read, len(files)
        for number in range(first, len(files)):
            place = places.get(files[number])
            if ends_ns[number] < self._since_ns:
                if place is None:
                    self._before.add(files[number])
            elif place is not None:
                known = records[place]
                if known == _NEVER:
                    records[place] = number
                    fresh.append(place)
                elif self._done(number) > self._done(known):
                    records[place], is_replaced = number, True
        return fresh, is_replaced

    def _add(self, places: Iterable[int]) -> None:
        files, ends_ns, seconds, devices = self._columns
        records, costs, owners = self._records, self._costs, self._owners
        lefts, open_steals = self._left, self._open_steals
        added = defaultdict[str, tuple[list[int], list[int], list[float]]](lambda: ([], [], []))
        for place in places:
            number, work = records[place], costs[place] or 1
            its_works, its_ends_ns, its_seconds = added[devices[number]]
            its_works.append(work)
            its_ends_ns.append(ends_ns[number])
            its_seconds.append(seconds[number])
            left = lefts[owners[place]]
            left.files -= 1
            left.work -= work
            if open_steals and (steal := open_steals.pop(files[number], None)) is not None:
                self._settle(steal, number)
        for device, its in added.items():
            self.devices[device].complete(*its)

    def _read_failures(self) -> None:
        for end_ns, seconds, device in islice(self._book.failed, self._failures_read, None):
            if end_ns >= self._since_ns:
                self.devices[device].fail(end_ns, seconds)
        self._failures_read = len(self._book.failed)

    def _read_steals(self) -> None:
        steals = self._book.steals
        # New ones stand at the end.
        for steal in islice(reversed(steals.values()), len(steals) - self._steals_read):
            place = self._places.get(steal.file)
            if place is None or self._owners[place] == steal.thief:
                continue
            if (record := self._records[place]) == _NEVER:
                self._open_steals[steal.file] = steal
            else:
                self._settle(steal, record)
        self._steals_read = len(steals)
        self.latest.sort()
        del self.latest[:-MAX_STEALS_REPORTED]

    def _settle(self, steal: Steal, record: int) -> None:
        """A stolen file is done; that was a move if its thief has done it."""
        if self._book.devices[record] == steal.thief:
            moved = self.moved[steal.thief, steal.victim]
            moved.files += 1
            moved.took_ns += round(self._book.seconds[record] * NANOSECONDS)
            self.latest.append(steal)

    # What can be asked.

    @property
    def planned(self) -> int:
        """Files of the plan."""
        return len(self._places)

    @property
    def known(self) -> int:
        """Files of the plan, and those that were done before it was made."""
        return len(self._places) + len(self._before)

    def pending_position(self, file: str) -> int | None:
        """Where a file of the plan stands in it that is not done; None: it is done, or there is no such file."""
        place = self._places.get(file)
        return None if place is None or self._records[place] != _NEVER else place

    def work(self, place: int) -> int:
        """The estimated work of a file, at least 1."""
        return self._costs[place] or 1

    def remaining(self, taken: Collection[int]) -> dict[str, Remaining]:
        """What is left of what each device was first given, without the undone files at the places `taken`."""
        found = {owner: Remaining(left.files, left.work) for owner, left in self._left.items()}
        for place in taken:
            left = found[self._owners[place]]
            left.files -= 1
            left.work -= self._costs[place] or 1
        for owner, left in found.items():
            its = self._by_size[owner]
            while its and self._records[its[-1]] != _NEVER:
                its.pop()
            waits = (place for place in reversed(its) if self._records[place] == _NEVER and place not in taken)
            left.biggest = max((self.work(place) for place in islice(waits, 1)), default=0)
        return found

    def open_steal(self, file: str) -> Steal | None:
        """How a file that is not done was stolen the last time from the device that it was first given to."""
        return self._open_steals.get(file)

    def done(self, file: str) -> CompletedFile | None:
        """How a file of the plan was done the last time; None: it was not."""
        place = self._places.get(file)
        return None if place is None or (record := self._records[place]) == _NEVER else self._done(record)

    def files(self) -> Iterator[tuple[str, int, CompletedFile]]:
        """Of each file of the plan that is done, in the order of the plan: its first owner, its cost, and how."""
        for owner, cost, record in zip(self._owners, self._costs, self._records, strict=True):
            if record != _NEVER:
                yield owner, cost, self._done(record)

    def _done(self, record: int) -> CompletedFile:
        book = self._book
        return CompletedFile(book.ends_ns[record], book.seconds[record], book.devices[record])


class TotalsCache:
    """The sums of the last look, kept by who looks again and again. Not thread-safe."""

    def __init__(self) -> None:
        self._sums: WorkTotals | None = None

    def of(self, book: WorkLog, since_ns: int) -> WorkTotals:
        """All of `book` added up, valid until it grows; what ended before `since_ns` is of another session."""
        if self._sums is None or not self._sums.is_valid_for(book, since_ns):
            self._sums = WorkTotals(book, since_ns)
        self._sums.update()
        return self._sums
