"""Who works on what: hands out files, moves them between queues, and keeps the account.

The state machine behind the launcher, usable on its own too: `LoadBalancingDashboard(coordinator, GPUMonitor())`
shows a coordinator in the same process. It does no I/O; events that only it knows go to its `sink`.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from virnucpro_bus import events as ev
from virnucpro_bus.clock import Clock, SystemClock
from virnucpro_bus.devices import display_id
from virnucpro_bus.metrics import GpuMetrics, StealEvent, Totals
from virnucpro_bus.publisher import EventSink
from virnucpro_bus.text import visible
from workers.account import RunAccount
from workers.assignment import assign
from workers.deques import DeviceQueues
from workers.inputs import InputFile
from workers.policies import policy_by_name

DEATHS_UNTIL_QUARANTINE = 3
_FILES_PER_EVENT = 128
_JOB_CHARACTERS = 1000
MAX_SECONDS = 1e12
_NO_DEVICE = "no device is left to work on it"


@dataclass(frozen=True)
class Assignment:
    """A file leased to a device. The lease ends with a completion, a failure, or the worker's death.

    `attempt` counts from 1. `stolen_from` is the key of the device whose queue it stood in, None for the device's
    own; `stolen_at_ns` is the wall-clock time of the theft, 0 for none.
    """

    file: InputFile
    attempt: int
    stolen_from: str | None = None
    stolen_at_ns: int = 0


class _Lease(NamedTuple):
    number: int
    assignment: Assignment


class WorkStealingCoordinator:
    """Safe to call from any thread; every call is short."""

    def __init__(
        self,
        devices: Sequence[ev.Device],
        files: Sequence[InputFile],
        *,
        policy: str = "threshold",
        weights: Sequence[float] | None = None,
        sink: EventSink | None = None,
        clock: Clock | None = None,
        job: str = "",
    ) -> None:
        """Distribute `files` over `devices`, longest first, in proportion to `weights` (None: all alike).

        Raises UserError for an unknown policy.
        """
        self.devices = tuple(devices)
        # Numbered by size, as the queues want it.
        self._files = tuple(sorted(files, key=lambda file: -file.cost))
        self._clock = clock or SystemClock()
        self._sink = sink
        self._policy = policy_by_name(policy)
        # Whatever it was given by the command line, it must fit into an event.
        self._job = visible(job)[:_JOB_CHARACTERS]
        self._plan = assign([file.cost for file in self._files], weights or [1.0] * len(self.devices))
        self._queues = DeviceQueues(self._plan)
        self._slots = {
            key: slot for slot, device in enumerate(devices) for key in (device.key, display_id(device))
        }
        self._leases: dict[int, _Lease] = {}
        self._attempts: Counter[int] = Counter()
        self._deaths: Counter[int] = Counter()
        self._unsettled = len(self._files)
        self._told_depths: list[int] | None = None
        self._lock = threading.Lock()
        self._account = RunAccount(self.devices, self._clock)
        self._run_started = ev.RunStarted(self._job, policy, self.devices, len(self._files))
        self._account.note(self._run_started)

    # The plan.

    def start(self) -> None:
        """Tell who takes part and who was given what."""
        with self._lock:
            self._publish(self._run_started)
            for event in self._assigned():
                self._publish(event)
            self._tell_depths()

    def _assigned(self) -> Iterator[ev.FilesAssigned]:
        for device, numbers in zip(self.devices, self._plan, strict=True):
            for first in range(0, len(numbers), _FILES_PER_EVENT):
                chosen = [self._files[number] for number in numbers[first : first + _FILES_PER_EVENT]]
                yield ev.FilesAssigned(
                    device.key, tuple(ev.PlannedFile(file.id, file.size_bytes, file.cost) for file in chosen)
                )

    # What workers ask and report.

    def next_file(self, gpu_id: int | str) -> Assignment | None:
        """Lease the next file to a device: its own next one, else a stolen one. None: there is none for it now,
        or the device has been retired.

        Raises RuntimeError when the device still holds one, KeyError for an unknown device.
        """
        slot = self._slots[gpu_id]
        with self._lock:
            if slot in self._leases:
                held = self._leases[slot].assignment.file.id
                raise RuntimeError(f"{gpu_id} still holds {held}: record its completion or failure first")
            if not self._queues.is_open(slot):
                return None
            number = self._queues.take(slot)
            stolen_from, stolen_at_ns = None, 0
            if number is None:
                victim = self._policy.victim(self._queues.depths(), slot)
                number = None if victim is None else self._queues.take(victim)
                if victim is None or number is None:
                    return None
                stolen_from, stolen_at_ns = self.devices[victim].key, self._clock.wall_ns()
            self._attempts[number] += 1
            assignment = Assignment(self._files[number], self._attempts[number], stolen_from, stolen_at_ns)
            self._leases[slot] = _Lease(number, assignment)
            self._note_start(slot, assignment)
            return assignment

    def _note_start(self, slot: int, assignment: Assignment) -> None:
        key, name = self.devices[slot].key, assignment.file.id
        if assignment.stolen_from is not None:
            stolen = ev.WorkStolen(key, assignment.stolen_from, name, assignment.attempt, assignment.stolen_at_ns)
            self._account.note_work(slot, stolen)
        self._account.note_work(slot, ev.FileStarted(key, name, assignment.attempt))

    def record_file_completion(
        self,
        gpu_id: int | str,
        file_path: str | os.PathLike[str],
        sequences: int,
        duration: float,
        *,
        wall_ns: int | None = None,
        mono_ns: int | None = None,
    ) -> None:
        """A device has finished a file (its id or path) in `duration` seconds; ends the lease if it had one.

        The times are when it was finished, now by default. Raises KeyError for an unknown device.
        """
        slot = self._slots[gpu_id]
        with self._lock:
            name, attempt = self._settle(slot, file_path, duration)
            done = ev.FileCompleted(self.devices[slot].key, name, attempt, sequences, duration)
            self._account.note_work(slot, done, wall_ns, mono_ns)

    def record_file_failure(
        self,
        gpu_id: int | str,
        file_path: str | os.PathLike[str],
        reason: str,
        duration: float,
        *,
        wall_ns: int | None = None,
        mono_ns: int | None = None,
    ) -> None:
        """A device could not do a file, and nobody will try it again; see record_file_completion."""
        slot = self._slots[gpu_id]
        with self._lock:
            name, attempt = self._settle(slot, file_path, duration)
            self._account.note_work(
                slot, ev.FileFailed(self.devices[slot].key, name, attempt, reason, duration), wall_ns, mono_ns
            )

    def _settle(self, slot: int, file_path: str | os.PathLike[str], duration: float) -> tuple[str, int]:
        """End the lease on a file; returns its name and attempt. Raises ValueError for an impossible duration."""
        if not 0.0 <= duration <= MAX_SECONDS:
            raise ValueError(f"a duration of {duration} seconds cannot be")
        lease = self._leases.get(slot)
        given = os.fspath(file_path)
        held = None if lease is None else lease.assignment
        if held is not None and (given == held.file.id or given == os.fspath(held.file.path)):
            del self._leases[slot]
            self._unsettled -= 1
            return held.file.id, held.attempt
        return os.path.basename(given), 0

    def record_commit(self, gpu_id: int | str, assignment: Assignment, results: int, size_bytes: int) -> None:
        """The results of a file, so many files of so many bytes, are in place."""
        key = self.devices[self._slots[gpu_id]].key
        with self._lock:
            self._publish(ev.FileCommitted(key, assignment.file.id, assignment.attempt, results, size_bytes))

    def worker_lost(self, gpu_id: int | str, source: str, epoch: int, reason: str) -> Assignment | None:
        """A device's worker has died and been reaped: what it held waits again, or is quarantined.

        Quarantined is a file that has killed three workers, or that no device is left for. Returns what the worker
        held, None for nothing.
        """
        slot = self._slots[gpu_id]
        key = self.devices[slot].key
        with self._lock:
            lease = self._leases.pop(slot, None)
            held = None if lease is None else lease.assignment
            event = ev.WorkerLost(key, source, epoch, reason)
            if held is not None:
                event = ev.WorkerLost(
                    key, source, epoch, reason, held.file.id, held.attempt, held.stolen_from, held.stolen_at_ns
                )
            self._publish(event)
            self._account.note_loss(slot, event)
            if lease is not None:
                self._deaths[lease.number] += 1
                if self._deaths[lease.number] >= DEATHS_UNTIL_QUARANTINE:
                    self._quarantine(
                        lease.number, f"it ended {DEATHS_UNTIL_QUARANTINE} workers, the last: {reason}"
                    )
                elif not self._queues.put_back(slot, lease.number):
                    self._quarantine(lease.number, _NO_DEVICE)
            return held

    def retire(self, gpu_id: int | str) -> None:
        """A device is out of use: the others get its files; where there is no other, those files have failed."""
        with self._lock:
            for number in self._queues.close(self._slots[gpu_id]):
                self._quarantine(number, _NO_DEVICE)

    def _quarantine(self, number: int, reason: str) -> None:
        self._unsettled -= 1
        self._tell(ev.FileQuarantined(self._files[number].id, self._attempts[number], reason))

    @property
    def unsettled(self) -> int:
        """Files that are neither completed nor failed."""
        with self._lock:
            return self._unsettled

    def publish_depths(self) -> None:
        """Tell the queue depths if they have changed since last told."""
        with self._lock:
            self._tell_depths()

    def finish(self, exit_code: int) -> None:
        """Tell that the run is over."""
        with self._lock:
            self._tell_depths()
            totals = self._account.ledger.totals()
            self._tell(ev.RunFinished(exit_code, totals["files_completed"], totals["files_failed"]))

    # What viewers ask: MetricsSource.

    def get_gpu_metrics(self) -> list[GpuMetrics]:
        """One row a device, by index."""
        with self._lock:
            self._account.note(self._depths_event())
            return self._account.ledger.metrics(self._clock.mono_ns())

    def get_recent_steal_events(self) -> list[StealEvent]:
        """The last 50 steals, oldest first."""
        with self._lock:
            return self._account.ledger.steals()

    def get_totals(self) -> Totals:
        """The run as a whole; the event figures are those of its own account, which loses none."""
        with self._lock:
            return self._account.ledger.totals()

    # Inside; the lock is held.

    def _publish(self, event: ev.Fact) -> None:
        if self._sink is not None:
            self._sink.publish(event)

    def _tell(self, event: ev.Fact) -> None:
        """A fact of the coordinator's own: into the account, and out."""
        self._account.note(event)
        self._publish(event)

    def _depths_event(self) -> ev.QueueDepths:
        depths = self._queues.depths()
        return ev.QueueDepths({device.key: depth for device, depth in zip(self.devices, depths, strict=True)})

    def _tell_depths(self) -> None:
        depths = self._queues.depths()
        if depths != self._told_depths:
            self._told_depths = depths
            self._tell(self._depths_event())
