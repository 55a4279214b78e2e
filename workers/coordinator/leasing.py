"""What workers ask a coordinator for: the files that they are to work on."""

from __future__ import annotations

import os
from collections.abc import Iterable

from virnucpro_bus import events as ev
from virnucpro_bus.passed_numbers import as_count
from workers.coordinator.assignment import Assignment, PendingFile
from workers.coordinator.planned_run import PlannedRun
from workers.schedule.scheduler import Abandoned, Lease


class Leasing(PlannedRun):
    """Leases the files of a run to its devices, as its scheduler decides."""

    def next_file(self, gpu_id: int | str) -> Assignment | None:
        """Lease the next file to a device: one of its own queue, else a stolen one; None: no file for now.

        A retired device gets none. Raises RuntimeError when the device still holds a file, KeyError for an unknown
        device.
        """
        slot = self._names.slot(gpu_id)
        with self._lock:
            self._check_free(slot, gpu_id)
            self._fold.record_request(slot)
            lease = self._scheduler.lease(slot, self._now_seconds())
            return None if lease is None else self._assign(slot, lease)

    def shortest_file(self, gpu_id: int | str) -> Assignment | None:
        """Lease the shortest file of its own queue to a device; None: the queue is empty. Raises as next_file."""
        slot = self._names.slot(gpu_id)
        with self._lock:
            self._check_free(slot, gpu_id)
            self._fold.record_request(slot)
            lease = self._scheduler.lease_shortest(slot, self._now_seconds())
            return None if lease is None else self._assign(slot, lease)

    def files_ahead(self, gpu_id: int | str) -> list[Assignment]:
        """Lease files ahead to a device that holds one, if they are short: it begins them in order.

        Until it does they stay pending in the queues that they were in. Raises KeyError for an unknown device.
        """
        slot = self._names.slot(gpu_id)
        with self._lock:
            ahead = [self._assignment(lease) for lease in self._scheduler.lease_ahead(slot, self._now_seconds())]
            self._leases.add(slot, ahead)
            return ahead

    def take_back(self, gpu_id: int | str) -> None:
        """Make the last file that a device holds ahead pending again: its worker will not begin it."""
        slot = self._names.slot(gpu_id)
        with self._lock:
            self._leases.remove_last(slot)
            self._announce_abandoned(self._scheduler.take_back(slot))

    def lease_file(
        self, gpu_id: int | str, file: str | os.PathLike[str], stolen_at_ns: int | None = None
    ) -> Assignment | None:
        """Lease this file (its id or path) to a device, as the caller has decided; None: it is not pending.

        It is a steal if the file was in another device's queue, at `stolen_at_ns` by the wall clock; None: now. A
        retired device gets none. Raises RuntimeError when the device still holds a file, KeyError for an unknown
        device.
        """
        slot, name = self._names.slot(gpu_id), os.fsdecode(file)
        stolen_at_ns = None if stolen_at_ns is None else as_count("stolen_at_ns", stolen_at_ns)
        with self._lock:
            self._check_free(slot, gpu_id)
            number = self._planned.number(name)
            lease = None if number is None else self._scheduler.lease_file(slot, number, self._now_seconds())
            self._fold.record_request(slot)
            return None if lease is None else self._assign(slot, lease, stolen_at_ns)

    def pending_files(self) -> list[PendingFile]:
        """Return the files that no device holds and that are not settled, biggest first."""
        with self._lock:
            files, keys = self._files, [device.key for device in self.devices]
            return [
                PendingFile(files[file], None if owner is None else keys[owner], attempt, is_last)
                for file, owner, attempt, is_last in self._scheduler.pending_files()
            ]

    def _check_free(self, slot: int, gpu_id: int | str) -> None:
        if (held := self._leases.first(slot)) is not None:
            raise RuntimeError(f"{gpu_id} still holds {held.file.id}: record its completion or failure first")

    def _assign(self, slot: int, lease: Lease, stolen_at_ns: int | None = None) -> Assignment:
        """Record the lease of a device, which begins now."""
        assignment = self._assignment(lease, stolen_at_ns)
        self._leases.add(slot, [assignment])
        self._fold.record_begin(slot, assignment)
        return assignment

    def _assignment(self, lease: Lease, stolen_at_ns: int | None = None) -> Assignment:
        """Return what a device gets by a lease; a steal at that time by the wall clock, None: now."""
        stolen_from, at_ns = None, 0
        if lease.victim is not None:
            stolen_from = self.devices[lease.victim].key
            at_ns = self._clock.wall_ns() if stolen_at_ns is None else stolen_at_ns
        return Assignment(self._files[lease.file], lease.attempt, stolen_from, at_ns, lease.is_last)

    def _announce_abandoned(self, files: Iterable[Abandoned]) -> None:
        for number, attempts, reason in files:
            self._fold.announce(ev.FileQuarantined(self._files[number].id, attempts, reason))
