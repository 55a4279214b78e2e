"""Who holds which file, and what becomes of it: the decisions of the coordinator, in numbers alone.

Files are numbered by size, the biggest is 0; devices are numbered as in the plan. Pure: no I/O, no clock and no
locks, so that every order of events can be tried out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from workers.schedule.blame import DEATHS_UNTIL_QUARANTINE, Blame, Culprit, Loss
from workers.schedule.policy import Policy
from workers.schedule.queues import DeviceQueues
from workers.schedule.retries import Retries

NO_DEVICE = "no device is left to work on it"


class Lease(NamedTuple):
    """A file in the hands of a device. `victim` is the device in whose queue it stood, None for the own one.

    `is_last`: if this attempt fails, nobody tries the file again.
    """

    file: int
    attempt: int
    victim: int | None
    is_last: bool


class Abandoned(NamedTuple):
    """A file that nobody tries again, though its worker has not said so."""

    file: int
    attempts: int
    reason: str


class Scheduler:
    """Every file waits in one place, is held by one device, or is settled."""

    def __init__(self, plan: Sequence[Sequence[int]], policy: Policy, retries: int) -> None:
        """`plan[d]` are the files first given to device d."""
        self._queues = DeviceQueues(plan)
        self._retries = Retries(len(plan))
        self._blame = Blame(len(plan), retries)
        self._policy = policy
        policy.on_queues_changed(self._queues)
        self._leases: dict[int, Lease] = {}
        self.unsettled = sum(map(len, plan))
        """Files that are neither completed nor failed for good."""

    def held(self, device: int) -> Lease | None:
        """What the device holds."""
        return self._leases.get(device)

    def is_open(self, device: int) -> bool:
        """Whether the device may still be given files."""
        return self._queues.is_open(device)

    def depths(self) -> list[int]:
        """Files waiting, by device; those that wait for another attempt stand in nobody's queue."""
        return self._queues.depths()

    @property
    def pending_retries(self) -> int:
        """Files that wait for another attempt."""
        return len(self._retries)

    @property
    def pending(self) -> int:
        """Files that wait, in a queue or for another attempt."""
        return self.unsettled - len(self._leases)

    def take(self, device: int, now_seconds: float) -> Lease | None:
        """Lease the device, which holds nothing, its next file. None: there is none for it now.

        The bigger of its own next one and of those that failed elsewhere; then a stolen one; last of all, one that
        every device has tried.
        """
        if not self.is_open(device):
            return None
        owner: int | None = None
        own = self._queues.first(device)
        file = self._retries.new_to(device)
        if file is None or (own is not None and own < file):
            choice = self._policy.choose(self._queues, device, now_seconds)
            if choice is not None:
                owner, file = choice
                self._queues.remove(owner, file)
            else:
                file = self._retries.tried_by_all()
        if file is None:
            return None
        if owner is None:
            self._retries.take(file)
        self._policy.on_started(device, file, owner, now_seconds)
        victim = owner if owner != device else None
        lease = Lease(file, self._blame.begin(file), victim, self._blame.is_last(file))
        self._leases[device] = lease
        return lease

    def complete(self, device: int, seconds: float, now_seconds: float) -> None:
        """The device has finished the file that it holds, in so many seconds."""
        self._policy.on_finished(device, seconds, now_seconds)
        del self._leases[device]
        self._blame.settled(device)
        self.unsettled -= 1

    def fail(self, device: int, now_seconds: float, *, for_good: bool) -> list[Abandoned]:
        """The device could not do the file that it holds; `for_good`: nobody could, whatever the attempts left."""
        self._policy.on_finished(device, None, now_seconds)
        lease = self._leases.pop(device)
        self._blame.settled(device)
        if self._blame.failed(lease.file) or for_good:
            self.unsettled -= 1
            return []
        return self._wait_again(device, lease.file)

    def lose(self, device: int, loss: Loss, reason: str, now_seconds: float) -> list[Abandoned]:
        """The device's worker is no more. Returns what is given up because of that."""
        lease = self._leases.pop(device, None)
        self._policy.on_finished(device, None, now_seconds)
        if lease is None:
            return []
        file = lease.file
        if loss is Loss.TIMED_OUT and self._blame.failed(file):
            return [self._give_up(file, reason)]
        retired: list[Abandoned] = []
        if loss is Loss.DIED:
            culprit = self._blame.died(file, device)
            if culprit is Culprit.FILE:
                return [self._give_up(file, f"it ended {DEATHS_UNTIL_QUARANTINE} workers, the last: {reason}")]
            if culprit is Culprit.DEVICE:
                retired = self.retire(device)
        return [*retired, *self._wait_again(device, file)]

    def retire(self, device: int) -> list[Abandoned]:
        """The device is given no more files; the others get its own. Returns what there is no device left for."""
        left = sorted(self._queues.close(device) + self._retries.close(device))
        self._policy.on_queues_changed(self._queues)
        return [self._give_up(file, NO_DEVICE) for file in left]

    def _wait_again(self, device: int, file: int) -> list[Abandoned]:
        return [] if self._retries.add(file, device) else [self._give_up(file, NO_DEVICE)]

    def _give_up(self, file: int, reason: str) -> Abandoned:
        self.unsettled -= 1
        return Abandoned(file, self._blame.attempts(file), reason)
