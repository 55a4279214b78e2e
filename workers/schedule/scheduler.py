"""The scheduler: which device holds which file, and what happens to the file when its attempt ends.

Files are numbered by size, the biggest is 0; devices are numbered as in the plan. Pure: no I/O, no clock and no
locks, so that tests can try every order of events.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from workers.schedule.ahead import LeasesAhead
from workers.schedule.blame import DEATHS_UNTIL_QUARANTINE, Blame, Culprit, Loss
from workers.schedule.policy import Policy
from workers.schedule.queues import DeviceQueues
from workers.schedule.retries import Retries

NO_DEVICE = "no device is left to work on it"


class Lease(NamedTuple):
    """A file that a device holds, for one attempt."""

    file: int
    attempt: int
    """From 1."""
    victim: int | None
    """The device out of whose queue it was stolen; None: not stolen."""
    is_last: bool
    """Whether the file is not tried again if this attempt fails."""


class Pending(NamedTuple):
    """A file that no device holds, not even ahead of its turn."""

    file: int
    owner: int | None
    """The device in whose queue it is; None: it is pending for another attempt."""
    attempt: int
    """The number of its next attempt, from 1."""
    is_last: bool
    """Whether the file is not tried again if that attempt fails."""


class Abandoned(NamedTuple):
    """A file that is not tried again, although no worker has reported its failure."""

    file: int
    attempts: int
    reason: str


class Scheduler:
    """Leases files to devices. Every file is pending in one place, leased to one device, or settled.

    A device works on one file. Short ones of its own queue it may hold ahead of their turn: these are pending
    until the one before has ended.
    """

    def __init__(self, plan: Sequence[Sequence[int]], policy: Policy, retries: int) -> None:
        """`plan[d]` are the files first assigned to device d; a failed file is retried up to `retries` times."""
        self._queues = DeviceQueues(plan)
        self._retries = Retries(len(plan))
        self._blame = Blame(len(plan), retries)
        self._policy = policy
        policy.on_queues_changed(self._queues)
        self._leases: dict[int, list[Lease]] = {}
        """By device, if it holds any: the lease that it works on, and those ahead in their order."""
        self._leases_ahead = LeasesAhead(len(plan))
        self.unsettled = sum(map(len, plan))
        """How many files are neither completed nor failed for good."""

    def add_device(self, weight: float, now_seconds: float) -> int:
        """Add a device with an empty queue, and return its number. `weight` is its assumed relative speed."""
        self._queues.add_device()
        self._retries.add_device()
        self._blame.add_device()
        self._leases_ahead.add_device()
        self._policy.on_device_added(weight, now_seconds)
        return len(self.depths()) - 1

    def held(self, device: int) -> Lease | None:
        """Return the lease that the device works on; None without one."""
        leases = self._leases.get(device)
        return leases[0] if leases else None

    def ahead(self, device: int) -> int:
        """Return how many files the device holds ahead of their turn."""
        return len(self._queues.ahead(device))

    def is_open(self, device: int) -> bool:
        """Return whether the device still gets files."""
        return self._queues.is_open(device)

    def depths(self) -> list[int]:
        """Return the number of pending files of each device; pending retries are no device's."""
        return self._queues.pending()

    @property
    def pending_retries(self) -> int:
        """How many files are pending for another attempt."""
        return len(self._retries)

    @property
    def pending(self) -> int:
        """How many files are pending: in a queue, ahead of their turn, or for another attempt."""
        return self.unsettled - len(self._leases)

    def lease(self, device: int, now_seconds: float) -> Lease | None:
        """Lease its next file to a device that holds none. Returns None when it gets none for now.

        That is the bigger one of its own next file and the biggest retry that it has not tried; without these, a
        stolen file; without that, a retry that every device has tried. A policy that does not decide gives none.
        """
        if not self.is_open(device) or not self._policy.decides:
            return None
        owner: int | None = None
        own = self._queues.first(device)
        file = self._retries.first_untried(device)
        if file is None or (own is not None and own < file):
            choice = self._policy.choose(self._queues, device, now_seconds)
            if choice is not None:
                owner, file = choice
            else:
                file = self._retries.first_tried_by_all()
        return None if file is None else self._start(device, file, owner, now_seconds)

    def lease_ahead(self, device: int, now_seconds: float) -> list[Lease]:
        """Lease the next files to a device that holds one; each begins when the last has ended.

        They are those of its own queue, and then those that it is to steal. None if they are not short, or others
        may want them; and as long as files are pending for another attempt, which come before those of a queue.
        """
        if not self.is_open(device) or not self._policy.decides or self._retries:
            return []
        more = self._leases_ahead.most_ahead(device, self.pending) - self.ahead(device)
        if more <= 0:
            return []
        leases: list[Lease] = []
        for choice in islice(self._policy.choose_ahead(self._queues, device, now_seconds), more):
            owner, file = choice
            self._queues.hand_ahead(device, choice)
            victim = owner if owner != device else None
            if victim is not None:
                self._policy.on_moved(file, victim, device)
            leases.append(Lease(file, self._blame.attempts(file) + 1, victim, self._blame.is_last(file)))
        self._leases[device] += leases
        return leases

    def take_back(self, device: int) -> list[Abandoned]:
        """Make the last lease that the device holds ahead pending again, as if it had not been leased.

        Returns the file if no device is left for it.
        """
        lease = self._leases[device].pop()
        owner = device if lease.victim is None else lease.victim
        orphans = self._queues.return_ahead(device)
        if self.is_open(owner):
            self._policy.on_moved(lease.file, device, owner)
        else:
            self._policy.on_queues_changed(self._queues)
        return [self._abandon(file, NO_DEVICE) for file in orphans]

    def lease_file(self, device: int, file: int, now_seconds: float) -> Lease | None:
        """Lease this file to a device that holds none. Returns None when the file is not pending."""
        owner = self._queues.owner(file)
        if not self.is_open(device) or (owner is None and file not in self._retries):
            return None
        return self._start(device, file, owner, now_seconds)

    def lease_shortest(self, device: int, now_seconds: float) -> Lease | None:
        """Lease the smallest file of its queue to a device that holds none. Returns None when that is empty."""
        file = self._queues.last(device)
        return None if file is None else self._start(device, file, device, now_seconds)

    def pending_files(self) -> list[Pending]:
        """Return every pending file that no device holds, biggest first."""
        queues, owners = self._queues, range(len(self.depths()))
        queued = [(file, owner) for owner in owners for file in queues.files(owner)[self.ahead(owner) :]]
        pending = sorted([*queued, *((file, None) for file in self._retries)], key=lambda each: each[0])
        return [
            Pending(file, owner, self._blame.attempts(file) + 1, self._blame.is_last(file))
            for file, owner in pending
        ]

    def _start(self, device: int, file: int, owner: int | None, now_seconds: float) -> Lease:
        """Lease a file out of the queue of `owner`; None: a retry, out of no queue."""
        if owner is None:
            self._retries.remove(file)
        else:
            self._queues.remove(owner, file)
        self._policy.on_started(device, file, owner, now_seconds)
        victim = owner if owner != device else None
        lease = Lease(file, self._blame.start_attempt(file), victim, self._blame.is_last(file))
        self._leases[device] = [lease]
        return lease

    def _end(self, device: int, now_seconds: float) -> Lease:
        """End the lease that the device works on, begin the one that follows, if any, and return the ended one."""
        ended, *ahead = self._leases.pop(device)
        if ahead:
            self._leases[device] = ahead
            file = ahead[0].file
            self._queues.begin_ahead(device)
            self._policy.on_started(device, file, device, now_seconds)
            self._blame.start_attempt(file)
        return ended

    def complete(self, device: int, seconds: float, now_seconds: float) -> None:
        """End the device's lease: it completed the file in `seconds`."""
        self._policy.on_finished(device, seconds, now_seconds)
        self._leases_ahead.add_measurement(device, seconds)
        self._end(device, now_seconds)
        self._blame.acquit(device)
        self.unsettled -= 1

    def fail(self, device: int, now_seconds: float, *, for_good: bool, charged: bool = True) -> list[Abandoned]:
        """End the device's lease: the attempt failed. `for_good`: the file is not tried again in any case.

        `charged` False: the file was not the reason, so it keeps its attempts. Returns the file if no device is
        left to try it again.
        """
        self._policy.on_finished(device, None, now_seconds)
        lease = self._end(device, now_seconds)
        self._blame.acquit(device)
        if charged and (self._blame.record_failure(lease.file) or for_good):
            self.unsettled -= 1
            return []
        return self._retry(device, lease.file)

    def lose(self, device: int, loss: Loss, reason: str, now_seconds: float) -> list[Abandoned]:
        """End the device's lease, if any: its worker is lost. Returns the files that are abandoned for that."""
        self._policy.on_finished(device, None, now_seconds)
        if device not in self._leases:
            return []
        file = self._end(device, now_seconds).file
        if loss is Loss.TIMED_OUT and self._blame.record_failure(file):
            return [self._abandon(file, reason)]
        retired: list[Abandoned] = []
        if loss.is_death:
            culprit = self._blame.record_death(file, device, loss)
            if culprit is Culprit.FILE:
                return [self._abandon(file, f"it ended {DEATHS_UNTIL_QUARANTINE} workers, the last: {reason}")]
            if culprit is Culprit.DEVICE:
                retired = self.retire(device)
        return [*retired, *self._retry(device, file)]

    def retire(self, device: int) -> list[Abandoned]:
        """Lease no more files to the device; the others get its own. Returns those that no device is left for."""
        orphans = sorted(self._queues.close(device) + self._retries.close(device))
        self._leases_ahead.remove_device(device)
        self._policy.on_queues_changed(self._queues)
        return [self._abandon(file, NO_DEVICE) for file in orphans]

    def reopen(self, device: int, file: int) -> list[Abandoned]:
        """Make a file pending again that has failed for good on `device`; return it if no device is left."""
        self.unsettled += 1
        return self._retry(device, file)

    def _retry(self, device: int, file: int) -> list[Abandoned]:
        """Make a file that `device` has tried pending again; return it if no device is left for it."""
        return [] if self._retries.add(file, device) else [self._abandon(file, NO_DEVICE)]

    def _abandon(self, file: int, reason: str) -> Abandoned:
        self.unsettled -= 1
        return Abandoned(file, self._blame.attempts(file), reason)
