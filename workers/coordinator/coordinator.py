"""The coordinator: leases files to devices, records how they end, and answers for the run's metrics.

It is the state machine behind the launcher, and works without one too: `LoadBalancingDashboard(coordinator,
GPUMonitor())` shows a coordinator of the same process. It does no I/O; the events that no worker publishes go to
its `sink`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS, Clock, SystemClock
from virnucpro_bus.events.vocabulary import REASON_CHARACTERS
from virnucpro_bus.metrics import Effect, GpuMetrics, StealEvent, Totals
from virnucpro_bus.passed_numbers import as_count, as_figure, as_seconds
from virnucpro_bus.publish.publisher import EventSink
from virnucpro_bus.publish.values import as_device, as_reason
from virnucpro_bus.text import visible
from workers.coordinator.assignment import Assignment, PendingFile
from workers.coordinator.device_names import DeviceNames
from workers.coordinator.leases import Leases
from workers.coordinator.local_fold import LocalFold
from workers.coordinator.report import PlannedFiles, Report, checked_report
from workers.inputs.input_file import InputFile
from workers.inputs.input_files import InputFiles
from workers.schedule.blame import Loss
from workers.schedule.plan import WEIGHTS, assign, checked_weights, plan_events
from workers.schedule.policy_registry import DEFAULT_POLICY, make_policy
from workers.schedule.scheduler import Abandoned, Lease, Scheduler


class WorkStealingCoordinator:
    """Leases the files of a run to its devices and steals files between their queues.

    A device is named by its key or its displayed id. All methods are short, and safe to call from any thread. A
    call that raises changes nothing: KeyError for an unknown device, ValueError for a value that cannot be right.
    """

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
        shard: ev.Shard | None = None,
        done_before: int = 0,
        host: str | None = None,
    ) -> None:
        """Assign `files` to `devices`, longest first, in proportion to `weights` (None: all equal).

        A file that fails is tried up to `retries` times more, on other devices if there are any. A thief steals
        again at the earliest after `steal_interval_seconds` (policy threshold only). `sink` gets the events for
        the bus (None: no bus). `job`, `settings`, a digest of the job and its options, and `shard`, which part of
        the inputs this is (None: all), belong to the run's first event; `done_before` is how many files earlier
        sessions of a resumed run have completed; `host` is the host in the figures (None: this machine). Raises
        UserError for an unknown policy, and ValueError for devices of the same name, and for weights and
        numbers that cannot be right.
        """
        self.devices = tuple(as_device("devices", device) for device in devices)
        """All devices, by number; the retired ones too. It is replaced when one is added."""
        self._names = DeviceNames(self.devices)
        # Numbered by size, as the queues require.
        self._files = InputFiles.of(files).biggest_first()
        self._clock = clock or SystemClock()
        # It comes from the command line, and must fit into an event.
        self._job = visible(job)[:REASON_CHARACTERS]
        costs = self._files.costs
        speeds = checked_weights(weights, len(self.devices))
        if self._files and not self.devices:
            raise ValueError("devices: must be at least one, to process the files")
        self._plan = assign(costs, speeds)
        interval_seconds = as_seconds("steal_interval_seconds", steal_interval_seconds)
        chosen = make_policy(policy, costs, speeds, interval_seconds)
        self.decides = chosen.decides
        """Whether `next_file` hands out files; if not, a caller decides, and leases them by `lease_file`."""
        self._scheduler = Scheduler(self._plan, chosen, as_count("retries", retries))
        self._start_ns = self._clock.mono_ns()
        self._done_before = as_count("done_before", done_before)
        self._leases = Leases()
        self._planned = PlannedFiles(self._files)
        self._unplanned = 0
        """How many completions and failures were those of files that are not in the plan."""
        self._lock = threading.Lock()
        self._fold = LocalFold(self.devices, self._clock, sink, host)
        self._run_started = ev.RunStarted(
            self._job, policy, self.devices, len(self._files) + done_before, settings, shard
        )
        # Of a plan the fold keeps ids and costs. The rest takes time, and is only for the bus.
        ids = self._files.ids
        for event in self._opening_events(lambda number: ev.PlannedFile(ids[number], 0, costs[number])):
            self._fold.record(event)

    # The plan.

    def start(self) -> None:
        """Publish the run's devices and the plan."""
        self.announce(self._opening_events(self._files.planned))
        self.publish_depths()

    def _opening_events(self, planned: Callable[[int], ev.PlannedFile]) -> Iterator[ev.Fact]:
        yield self._run_started
        yield from plan_events(self.devices, self._plan, planned)

    def add_device(self, device: ev.Device, weight: float = 1.0) -> int:
        """Add a device whose worker joins the run after `start`, and return its number.

        Its queue is empty: it works on what it steals by the policy, and on what is tried again. `weight` is as
        those of the other devices. Raises ValueError for a name that another device has, and for a weight that
        cannot be right.
        """
        device, weight = as_device("device", device), as_figure("weight", weight, *WEIGHTS)
        with self._lock:
            names = DeviceNames([*self.devices, device])
            number = self._scheduler.add_device(weight, self._now_seconds())
            self._fold.add_device(device)
            self.devices = (*self.devices, device)
            self._names = names
            return number

    # What workers ask and report.

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
        """Record that a device completed a file (its id or path) in `duration` seconds; end the lease, if any.

        The times, in nanoseconds, are those of the completion; None: now. Raises KeyError for an unknown device,
        ValueError for sequences that are not a count, and a duration that is not from 0 to 1e12.
        """
        slot, sequences = self._names.slot(gpu_id), as_count("sequences", sequences)
        report = checked_report(file_path, duration, wall_ns, mono_ns)
        with self._lock:
            if held := self._leases.end_first(slot, report):
                name, attempt = held.file.id, held.attempt
                self._scheduler.complete(slot, report.seconds, self._now_seconds())
            else:
                name, attempt = report.name, 0
            done = ev.FileCompleted(self.devices[slot].key, name, attempt, sequences, report.seconds)
            self._record_end(slot, done, report, held)

    def record_file_failure(
        self,
        gpu_id: int | str,
        file_path: str | os.PathLike[str],
        reason: str | BaseException | None,
        duration: float,
        *,
        for_good: bool = False,
        charged: bool = True,
        wall_ns: int | None = None,
        mono_ns: int | None = None,
    ) -> None:
        """Record that an attempt failed; the file is tried again while attempts are left.

        `for_good`: it is not tried again in any case. `charged` False: the file was not the reason, so it keeps
        its attempts. `reason` is one line, or the exception that was raised. For the rest see
        record_file_completion.
        """
        slot, reason = self._names.slot(gpu_id), as_reason(reason)
        report = checked_report(file_path, duration, wall_ns, mono_ns)
        with self._lock:
            name, attempt, final = report.name, 0, True
            abandoned: list[Abandoned] = []
            if held := self._leases.end_first(slot, report):
                name, attempt, final = held.file.id, held.attempt, charged and (held.is_last or for_good)
                abandoned = self._scheduler.fail(slot, self._now_seconds(), for_good=for_good, charged=charged)
            failed = ev.FileFailed(self.devices[slot].key, name, attempt, reason, report.seconds, final)
            self._record_end(slot, failed, report, held)
            self._announce_abandoned(abandoned)

    def _record_end(self, slot: int, event: ev.Fact, report: Report, held: Assignment | None) -> None:
        """Record the end of a file that the device held (None: of another), and that its next one begins then."""
        self._fold.record_work(slot, event, report.wall_ns, report.mono_ns)
        if held is None:
            self._unplanned += not self._planned.has(report)
        elif (begun := self._leases.first(slot)) is not None:
            self._fold.record_begin(slot, begun, report.wall_ns, report.mono_ns)

    def announce(self, events: Iterable[ev.Fact]) -> None:
        """Publish events on which no figure of the coordinator depends, in this order."""
        with self._lock:
            for event in events:
                self._fold.publish(event)

    def record_commit(
        self,
        gpu_id: int | str,
        assignment: Assignment,
        results: int,
        size_bytes: int,
        digest: str = "",
        sequences: int | None = None,
        input_digest: str = "",
    ) -> None:
        """Publish that a file's results are in place and synced: `results` entries of `size_bytes` in all."""
        results, size_bytes = as_count("results", results), as_count("size_bytes", size_bytes)
        sequences = None if sequences is None else as_count("sequences", sequences)
        key, file, attempt = self.devices[self._names.slot(gpu_id)].key, assignment.file.id, assignment.attempt
        commit = ev.FileCommitted(key, file, attempt, results, size_bytes, digest, sequences, input_digest)
        self.announce([commit])

    def worker_lost(
        self,
        gpu_id: int | str,
        source: str,
        epoch: int,
        reason: str,
        loss: Loss = Loss.DIED,
        to_blame: Assignment | None = None,
    ) -> Assignment | None:
        """Record that a device's worker has ended and was reaped: the file that it held is pending again.

        The file is quarantined instead when it has killed three workers, when its last attempt timed out, and when
        no device is left for it. A device on which three different files have died is retired. Returns what
        the worker held, None for nothing.

        All that it held counts as begun: `take_back` the rest before. `to_blame` is the file that the loss counts
        for, None: the last. The others had ended, and were not reported: they are pending again as well.
        """
        slot, epoch, reason = self._names.slot(gpu_id), as_count("epoch", epoch), as_reason(reason)
        key = self.devices[slot].key
        with self._lock:
            begun = self._leases.end_all(slot)
            held = to_blame or (begun[-1] if begun else None)
            lease = (held.file.id, held.attempt, held.stolen_from, held.stolen_at_ns) if held else ()
            self._fold.announce_loss(slot, ev.WorkerLost(key, source, epoch, reason, *lease))
            for each in begun or (None,):
                counts = loss if each is held else Loss.STOPPED
                self._announce_abandoned(self._scheduler.lose(slot, counts, reason, self._now_seconds()))
            return held

    def retire(self, gpu_id: int | str) -> None:
        """Retire a device: the others get its files; if none is left, the files are quarantined."""
        with self._lock:
            self._announce_abandoned(self._scheduler.retire(self._names.slot(gpu_id)))

    def is_retired(self, gpu_id: int | str) -> bool:
        """Return whether the device gets no more files."""
        with self._lock:
            return not self._scheduler.is_open(self._names.slot(gpu_id))

    @property
    def unsettled(self) -> int:
        """How many files are neither completed nor failed for good."""
        with self._lock:
            return self._scheduler.unsettled

    def publish_depths(self) -> None:
        """Publish the queue depths that have changed, unless some were published in the last quarter of a second.

        `finish` publishes the last ones.
        """
        with self._lock:
            if self._fold.may_announce_depths:
                self._fold.announce_depths(self._scheduler.depths())

    def finish(self, exit_code: int) -> None:
        """Publish that the run is over."""
        exit_code = as_count("exit_code", exit_code)
        with self._lock:
            self._fold.announce_depths(self._scheduler.depths())
            totals = self._fold.totals()
            done = self._done_before + totals["files_completed"]
            self._fold.announce(ev.RunFinished(exit_code, done, totals["files_failed"]))

    # What viewers ask for: the protocol MetricsSource.

    def get_gpu_metrics(self) -> list[GpuMetrics]:
        """Return one row for each device, by index."""
        with self._lock:
            return self._fold.metrics(self._scheduler.depths())

    def get_recent_steal_events(self) -> list[StealEvent]:
        """Return the last 50 steals, oldest first."""
        with self._lock:
            return self._fold.steals()

    def get_totals(self) -> Totals:
        """Return the figures of the whole run; its event counts are those of the local fold, which loses none.

        `files_total` is None without planned files. With some, it includes the others that were recorded.
        """
        with self._lock:
            totals = self._fold.totals()
            if totals["files_total"] is not None:
                totals["files_total"] += self._unplanned
            return totals

    def get_effect(self) -> Effect:
        """Return what stealing has gained or lost so far; all figures are unknown before the first file starts."""
        with self._lock:
            devices = range(len(self.devices))
            return self._fold.effect([slot for slot in devices if not self._scheduler.is_open(slot)])

    # Private; the caller holds the lock.

    def _now_seconds(self) -> float:
        return (self._clock.mono_ns() - self._start_ns) / NANOSECONDS

    def _announce_abandoned(self, files: Iterable[Abandoned]) -> None:
        for number, attempts, reason in files:
            self._fold.announce(ev.FileQuarantined(self._files[number].id, attempts, reason))
