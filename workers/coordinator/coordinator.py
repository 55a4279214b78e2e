"""Who works on what: hands out files, moves them between queues, and keeps the account.

The state machine behind the launcher, usable on its own too: `LoadBalancingDashboard(coordinator, GPUMonitor())`
shows a coordinator in the same process. It does no I/O; events that only it knows go to its `sink`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS, Clock, SystemClock
from virnucpro_bus.devices import display_id
from virnucpro_bus.events.vocabulary import REASON_CHARACTERS
from virnucpro_bus.metrics import Effect, GpuMetrics, StealEvent, Totals
from virnucpro_bus.publish.publisher import EventSink
from virnucpro_bus.text import visible
from workers.coordinator.local_fold import LocalFold
from workers.inputs import InputFile
from workers.schedule.blame import Loss
from workers.schedule.plan import assign, plan_events
from workers.schedule.policy_registry import DEFAULT_POLICY, make_policy
from workers.schedule.scheduler import Abandoned, Scheduler

MAX_SECONDS = 1e12


@dataclass(frozen=True)
class Assignment:
    """A file leased to a device. The lease ends with a completion, a failure, or the worker's death.

    `attempt` counts from 1. `stolen_from` is the key of the device whose queue it stood in, None for the device's
    own; `stolen_at_ns` is the wall-clock time of the theft, 0 for none. `is_last`: nobody tries the file again if
    this attempt fails.
    """

    file: InputFile
    attempt: int
    stolen_from: str | None = None
    stolen_at_ns: int = 0
    is_last: bool = True


class WorkStealingCoordinator:
    """Safe to call from any thread; every call is short."""

    def __init__(
        self,
        devices: Sequence[ev.Device],
        files: Sequence[InputFile],
        *,
        policy: str = DEFAULT_POLICY,
        steal_interval_seconds: float = 0.0,
        weights: Sequence[float] | None = None,
        retries: int = 0,
        sink: EventSink | None = None,
        clock: Clock | None = None,
        job: str = "",
        settings: str = "",
        done_before: int = 0,
    ) -> None:
        """Distribute `files` over `devices`, longest first, in proportion to `weights` (None: all alike).

        A file that fails is tried up to `retries` times more, by other devices where there are any.
        `settings` is a digest of the job and its options; `done_before`: how many files were done before it was
        resumed. Raises UserError for an unknown policy.
        """
        self.devices = tuple(devices)
        # Numbered by size, as the queues want it.
        self._files = tuple(sorted(files, key=lambda file: -file.cost))
        self._clock = clock or SystemClock()
        # Whatever it was given by the command line, it must fit into an event.
        self._job = visible(job)[:REASON_CHARACTERS]
        costs, shares = [file.cost for file in self._files], weights or [1.0] * len(self.devices)
        self._plan = assign(costs, shares)
        self._handout = Scheduler(self._plan, make_policy(policy, costs, shares, steal_interval_seconds), retries)
        self._began_ns = self._clock.mono_ns()
        self._slots = {
            key: slot for slot, device in enumerate(devices) for key in (device.key, display_id(device))
        }
        self._done_before = done_before
        self._leases: dict[int, Assignment] = {}  # by the number of the device
        self._lock = threading.Lock()
        self._account = LocalFold(self.devices, self._clock, sink)
        self._run_started = ev.RunStarted(
            self._job, policy, self.devices, len(self._files) + done_before, settings
        )
        for event in self._announcement():
            self._account.record(event)

    # The plan.

    def start(self) -> None:
        """Tell who takes part and who was given what."""
        with self._lock:
            for event in self._announcement():
                self._account.publish(event)
            self._account.announce_depths(self._handout.depths())

    def _announcement(self) -> Iterator[ev.Fact]:
        yield self._run_started
        yield from plan_events(self.devices, self._files, self._plan)

    # What workers ask and report.

    def next_file(self, gpu_id: int | str) -> Assignment | None:
        """Lease the next file to a device: its own next one, else a stolen one. None: there is none for it now,
        or the device has been retired.

        Raises RuntimeError when the device still holds one, KeyError for an unknown device.
        """
        slot = self._slots[gpu_id]
        with self._lock:
            if slot in self._leases:
                held = self._leases[slot].file.id
                raise RuntimeError(f"{gpu_id} still holds {held}: record its completion or failure first")
            self._account.record_request(slot)
            lease = self._handout.take(slot, self._now_seconds())
            if lease is None:
                return None
            stolen_from, stolen_at_ns = None, 0
            if lease.victim is not None:
                stolen_from, stolen_at_ns = self.devices[lease.victim].key, self._clock.wall_ns()
            file = self._files[lease.file]
            assignment = Assignment(file, lease.attempt, stolen_from, stolen_at_ns, lease.is_last)
            self._leases[slot] = assignment
            self._note_start(slot, assignment)
            return assignment

    def _note_start(self, slot: int, assignment: Assignment) -> None:
        key, name = self.devices[slot].key, assignment.file.id
        if assignment.stolen_from is not None:
            stolen = ev.WorkStolen(key, assignment.stolen_from, name, assignment.attempt, assignment.stolen_at_ns)
            self._account.record_work(slot, stolen)
        self._account.record_work(slot, ev.FileStarted(key, name, assignment.attempt))

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
            name, attempt = os.path.basename(os.fspath(file_path)), 0
            if held := self._end_lease(slot, file_path, duration):
                name, attempt = held.file.id, held.attempt
                self._handout.complete(slot, duration, self._now_seconds())
            done = ev.FileCompleted(self.devices[slot].key, name, attempt, sequences, duration)
            self._account.record_work(slot, done, wall_ns, mono_ns)

    def record_file_failure(
        self,
        gpu_id: int | str,
        file_path: str | os.PathLike[str],
        reason: str,
        duration: float,
        *,
        for_good: bool = False,
        wall_ns: int | None = None,
        mono_ns: int | None = None,
    ) -> None:
        """A device could not do a file, which is tried again if attempts are left; see record_file_completion.

        `for_good`: it is not to be tried again, whatever the attempts left.
        """
        slot = self._slots[gpu_id]
        with self._lock:
            name, attempt, final = os.path.basename(os.fspath(file_path)), 0, True
            given_up: list[Abandoned] = []
            if held := self._end_lease(slot, file_path, duration):
                name, attempt, final = held.file.id, held.attempt, held.is_last or for_good
                given_up = self._handout.fail(slot, self._now_seconds(), for_good=for_good)
            failed = ev.FileFailed(self.devices[slot].key, name, attempt, reason, duration, final)
            self._account.record_work(slot, failed, wall_ns, mono_ns)
            self._tell_given_up(given_up)

    def _end_lease(self, slot: int, file_path: str | os.PathLike[str], duration: float) -> Assignment | None:
        """End the lease on a file; None: there was none. Raises ValueError for an impossible duration."""
        if not 0.0 <= duration <= MAX_SECONDS:
            raise ValueError(f"a duration of {duration} seconds cannot be")
        held, given = self._leases.get(slot), os.fspath(file_path)
        if held is None or given not in (held.file.id, os.fspath(held.file.path)):
            return None
        return self._leases.pop(slot)

    def record_commit(
        self, gpu_id: int | str, assignment: Assignment, results: int, size_bytes: int, digest: str = ""
    ) -> None:
        """The results of a file, so many files of so many bytes, are in place, and on disk."""
        key, file, attempt = self.devices[self._slots[gpu_id]].key, assignment.file.id, assignment.attempt
        with self._lock:
            self._account.publish(ev.FileCommitted(key, file, attempt, results, size_bytes, digest))

    def worker_lost(
        self, gpu_id: int | str, source: str, epoch: int, reason: str, loss: Loss = Loss.DIED
    ) -> Assignment | None:
        """A device's worker is no more and has been reaped: what it held waits again, or is given up.

        Given up is a file that has killed three workers, that has used up its attempts, or that no device is left
        for. A device on which three different files have died is retired. Returns what the worker held, None for
        nothing.
        """
        slot = self._slots[gpu_id]
        key = self.devices[slot].key
        with self._lock:
            held = self._leases.pop(slot, None)
            event = ev.WorkerLost(key, source, epoch, reason)
            if held is not None:
                event = ev.WorkerLost(
                    key, source, epoch, reason, held.file.id, held.attempt, held.stolen_from, held.stolen_at_ns
                )
            self._account.announce_loss(slot, event)
            self._tell_given_up(self._handout.lose(slot, loss, reason, self._now_seconds()))
            return held

    def retire(self, gpu_id: int | str) -> None:
        """A device is out of use: the others get its files; where there is no other, those files have failed."""
        with self._lock:
            self._tell_given_up(self._handout.retire(self._slots[gpu_id]))

    def is_retired(self, gpu_id: int | str) -> bool:
        """Whether the device is given no more files."""
        with self._lock:
            return not self._handout.is_open(self._slots[gpu_id])

    @property
    def unsettled(self) -> int:
        """Files that are neither completed nor failed for good."""
        with self._lock:
            return self._handout.unsettled

    def publish_depths(self) -> None:
        """Tell the queue depths if they have changed since last told."""
        with self._lock:
            self._account.announce_depths(self._handout.depths())

    def finish(self, exit_code: int) -> None:
        """Tell that the run is over."""
        with self._lock:
            self._account.announce_depths(self._handout.depths())
            totals = self._account.totals()
            done = self._done_before + totals["files_completed"]
            self._account.announce(ev.RunFinished(exit_code, done, totals["files_failed"]))

    # What viewers ask: MetricsSource.

    def get_gpu_metrics(self) -> list[GpuMetrics]:
        """One row a device, by index."""
        with self._lock:
            return self._account.metrics(self._handout.depths())

    def get_recent_steal_events(self) -> list[StealEvent]:
        """The last 50 steals, oldest first."""
        with self._lock:
            return self._account.steals()

    def get_totals(self) -> Totals:
        """The run as a whole; the event figures are those of its own account, which loses none."""
        with self._lock:
            return self._account.totals()

    def get_effect(self) -> Effect:
        """What stealing has done for the run so far; all unknown before the first file is begun."""
        with self._lock:
            devices = range(len(self.devices))
            return self._account.effect([slot for slot in devices if not self._handout.is_open(slot)])

    # Inside; the lock is held.

    def _now_seconds(self) -> float:
        return (self._clock.mono_ns() - self._began_ns) / NANOSECONDS

    def _tell_given_up(self, files: Iterable[Abandoned]) -> None:
        for number, attempts, reason in files:
            self._account.announce(ev.FileQuarantined(self._files[number].id, attempts, reason))
