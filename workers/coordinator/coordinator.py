"""The coordinator: leases files to devices, records how they end, and answers for the run's metrics.

It is the state machine behind the launcher, and works without one too: `LoadBalancingDashboard(coordinator,
GPUMonitor())` shows a coordinator of the same process. It does no I/O; the events that no worker publishes go to
its `sink`.
"""

from __future__ import annotations

import os

from virnucpro_bus import events as ev
from virnucpro_bus.metrics import Effect, GpuMetrics, StealEvent, Totals
from virnucpro_bus.passed_numbers import as_count
from virnucpro_bus.publish.values import as_reason
from workers.coordinator.assignment import Assignment
from workers.coordinator.leasing import Leasing
from workers.coordinator.report import Report, checked_report
from workers.schedule.blame import Loss
from workers.schedule.scheduler import Abandoned


class WorkStealingCoordinator(Leasing):
    """Leases the files of a run to its devices and steals files between their queues.

    A device is named by its key or its displayed id. All methods are short, and safe to call from any thread. A
    call that raises changes nothing: KeyError for an unknown device, ValueError for a value that cannot be right.
    """

    # How the work of a device ends.

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

    def commit_event(
        self,
        gpu_id: int | str,
        assignment: Assignment,
        results: int,
        size_bytes: int,
        digest: str = "",
        sequences: int | None = None,
        input_digest: str = "",
    ) -> ev.FileCommitted:
        """Return the event, to be announced, that a file's results are in place and synced.

        They are `results` entries, of `size_bytes` in all.
        """
        results, size_bytes = as_count("results", results), as_count("size_bytes", size_bytes)
        sequences = None if sequences is None else as_count("sequences", sequences)
        key, file, attempt = self.devices[self._names.slot(gpu_id)].key, assignment.file.id, assignment.attempt
        return ev.FileCommitted(key, file, attempt, results, size_bytes, digest, sequences, input_digest)

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

    def reopen(self, gpu_id: int | str, file: str | os.PathLike[str], reason: str) -> None:
        """Make a file (its id or path) pending again that has failed for good on this device.

        `reason` is one line: why it is not the file's failure. Raises KeyError for an unknown device or file.
        """
        slot, name, reason = self._names.slot(gpu_id), os.fsdecode(file), as_reason(reason)
        with self._lock:
            if (number := self._planned.number(name)) is None:
                raise KeyError(name)
            key, file_id = self.devices[slot].key, self._files[number].id
            self._fold.announce(ev.FileReopened(file_id, key, completed=False, sequences=0, reason=reason))
            self._announce_abandoned(self._scheduler.reopen(slot, number))

    def retire(self, gpu_id: int | str) -> None:
        """Retire a device: the others get its files; if none is left, the files are quarantined."""
        with self._lock:
            self._announce_abandoned(self._scheduler.retire(self._names.slot(gpu_id)))

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
