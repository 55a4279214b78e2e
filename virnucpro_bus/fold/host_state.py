"""The state of one host, and the figures that follow from it at a moment.

Pure and deterministic. These fields, with the types in them, are the layout of a snapshot (`snapshot/format.py`);
`host_fold.py` fills them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Annotated

from msgspec import Meta, Struct, field

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.device_keys import gpus_of
from virnucpro_bus.devices import display_id
from virnucpro_bus.effect.combine import rename_devices
from virnucpro_bus.effect.effect import effect_of
from virnucpro_bus.effect.shares import HostWork, InProgress, RunStatus
from virnucpro_bus.effect.totals import TotalsCache
from virnucpro_bus.effect.work_log import Steal, WorkLog
from virnucpro_bus.events.commits import CommittedFiles
from virnucpro_bus.events.host_time import NEVER_COMPARED, HostTime, TimeOfDay, by_own_clock
from virnucpro_bus.events.vocabulary import MAX_COUNT
from virnucpro_bus.fold.device import LOAD_INTERVAL_NS, DeviceState, Reopened, own_workers
from virnucpro_bus.fold.gpu_identity import SampledGpus, find_identities, keys_by_index, merge_same_gpus
from virnucpro_bus.fold.stream import Stream, gone_ns
from virnucpro_bus.fold.windows import Completions
from virnucpro_bus.metrics import (
    Effect,
    FileRecord,
    GpuMetrics,
    GpuUtilization,
    Range,
    SourceCounts,
    StealEffect,
    StealEvent,
    Totals,
)
from virnucpro_bus.run_reports import INTERRUPTED

MAX_WORKER_RUNS = 4
"""How many runs of one host are told apart by name."""


class HostState(Struct, array_like=True):
    """The state of one host's devices, streams and run. Not thread-safe: its owner is one thread, or holds a lock.

    Times are on the axis of `host_time.py`, unless they are called wall-clock times. Devices are named by key.
    """

    host: str
    run: ev.RunStarted | None = None
    """The last announcement, in `_run_order`; None for workers without a plan, or before the first."""
    run_name: ev.Name = ""
    """The name of that run; "" when unknown."""
    finished: ev.RunFinished | None = None
    """The report that the run is over; without a run, that its hub has ended in order. None before that."""
    is_broken_off: bool = False
    """Whether no more events will come, though the end of the run was not reported."""
    unknown_kinds: ev.Count = 0
    """Events that were ignored because this version does not know their kind."""
    worker_runs: list[ev.Name] = []
    """The runs that workers name, in order, as far as they name one; MAX_WORKER_RUNS of them at most."""
    failures: dict[str, tuple[ev.Count, str]] = {}
    """(attempt, reason) of the last final failure, by file; see `failed_files`."""
    _devices: dict[str, DeviceState] = {}
    _streams: dict[str, dict[ev.Count, Stream]] = {}
    started_ns: ev.Count | None = None
    """When the last session of the run started; None if no run was announced …"""
    started_wall_ns: ev.Count = 0
    """… and by the host's wall clock."""
    _finished_ns: ev.Count | None = None
    _depths_epoch: ev.Count = 0
    """The latest epoch in which the coordinator reported queue depths."""
    _depths: dict[str, tuple[ev.Count, ev.Count]] = {}
    """(seq of the event, pending files) as last reported in that epoch, by device key."""
    _quarantined: ev.Count = 0
    _steals: list[Steal] = []
    _notices: list[tuple[ev.Count, ev.Count, ev.Count, ev.Count, str]] = []
    """The last 10, as (epoch, seq, wall-clock time in nanoseconds, time on the axis, text)."""
    attempts: dict[str, list[tuple[ev.Count, str, str]]] = {}
    """(attempt, device, reason) of failed attempts, by file."""
    _run_order: tuple[ev.Count, ev.Count] = (0, 0)
    """(epoch, seq) of the last announcement."""
    _session: ev.Count = 0
    """The epoch in which the launcher last started or ended a run; a resumed run is a new session."""
    _net_failures: dict[str, int] = {}
    """How often a file has failed for good, minus how often it was reopened after that."""
    _reopened_quarantined: ev.Count = 0
    """How many quarantined files are pending again."""
    _time: HostTime = field(default_factory=HostTime)
    _log: WorkLog = field(default_factory=WorkLog)
    _completions: Completions = field(default_factory=Completions)
    _committed: CommittedFiles = field(default_factory=CommittedFiles)
    last_ns: ev.Count = 0
    """The time of the newest event; 0 before the first."""
    _joined: dict[str, ev.Count] = {}
    """When devices have joined the last session of the run after its start."""
    offset_ns: Annotated[int, Meta(ge=-MAX_COUNT)] = NEVER_COMPARED
    """The clock of the times of receipt minus the axis: the least difference of this boot, of the least delay."""

    _failed_at: dict[str, tuple[ev.Count, ev.Count]] = {}
    """When each of the files in `failures` last failed: the time on the axis, and by the host's wall clock."""
    draining: ev.RunDraining | None = None
    """The first report of the last session that no more files are handed out; None before that …"""
    _draining_seq: ev.Count = 0
    """… and its seq."""

    @property
    def newest_times(self) -> tuple[int, int]:
        """When the last heartbeat, completion or failure was sent, on the axis and by the wall clock, or zeros."""
        times = [stream.heartbeat_times for _, _, stream in self.streams()]
        times += [(device.last_done_ns, device.last_done_wall_ns) for device in self._devices.values()]
        return max(times, default=(0, 0))

    @property
    def base_ns(self) -> int:
        """What is added to the host's monotonic clock to get the time on the axis."""
        return self._time.base_ns

    @property
    def is_simulated(self) -> bool:
        """Whether any device is simulated."""
        return any(device.is_simulated for device in self._devices.values())

    def at(self, now_ns: int) -> int:
        """Return `now_ns`, or the end of the run if that is earlier: figures of a finished run stand still."""
        return now_ns if self._finished_ns is None else min(now_ns, self._finished_ns)

    @property
    def is_over(self) -> bool:
        """Whether the run has ended, or was broken off."""
        return self.finished is not None or self.is_broken_off

    @property
    def is_loading(self) -> bool:
        """Whether no worker of the last session has been ready for files yet."""
        started_ns = self.started_ns or 0
        return self.run is not None and not any(
            stream.is_or_was_ready
            for _, _, stream in self.streams()
            if stream.device_key and stream.heard_ns >= started_ns
        )

    def break_off(self) -> None:
        """End a run that is not over because its hub is gone: its workers have ended with the hub."""
        if self.run is None or self.is_over:
            return
        self.is_broken_off, self._finished_ns = True, self.last_ns
        for _, _, stream in self.streams():
            if stream.is_live:
                stream.state = "stopped"

    def elapsed_seconds(self, now_ns: int) -> float | None:
        """Seconds since the run started; None if no run was announced."""
        if self.started_ns is None:
            return None
        return max(0, self.at(now_ns) - self.started_ns) / NANOSECONDS

    def metrics(
        self, now_ns: int, time_of_day: TimeOfDay = by_own_clock, makespan_seconds: float | None = None
    ) -> list[GpuMetrics]:
        """One row per device, by index, then key. Unused GPUs have a row only if no run was announced.

        `makespan_seconds` is that of a session that is over, in which throughputs are measured then; None: it is
        not over, or unknown.
        """
        now_ns = self.at(now_ns)
        workers: defaultdict[str, dict[tuple[int, str], Stream]] = defaultdict(dict)
        for source, epoch, stream in self.streams():
            workers[stream.device_key][epoch, source] = stream
        merged = merge_same_gpus(self._devices, find_identities(self._devices, workers.keys()))
        shown = [
            (key, device)
            for key, device in merged.items()
            if device.is_planned or workers[key] or device.stolen_away
        ]
        if self.run is None:
            in_use = {name for key, device in shown for name in (key, *gpus_of(device.device.key))}
            shown += [(key, device) for key, device in merged.items() if key not in in_use]
        shown.sort(key=lambda each: each[1].display_order())
        moment = now_ns, self.started_ns, time_of_day, makespan_seconds
        rows = [
            device.metrics(self.host, self._depth(key), own_workers(device, workers[key]), *moment)
            for key, device in shown
        ]
        has_stopped_workers = self.finished is not None and (
            self.finished.exit_code >= INTERRUPTED or self.draining is not None
        )
        lost_gpus = {device.device.key for device in merged.values() if device.is_lost}
        for (key, device), row in zip(shown, rows, strict=True):
            if not lost_gpus.isdisjoint(row["gpus"]):
                row["state"] = "lost"
            elif has_stopped_workers and row["state"] == "lost":
                # Workers that ended because the run was interrupted, or ended early, are not a problem.
                row["state"] = "stopped"
            if device.is_planned:
                counts = row["files_completed"], row["sequences"]
                row["files_completed"], row["sequences"] = self._committed.correct(*counts, key)
        return rows

    def utilizations(self, now_ns: int, interval_ns: int = LOAD_INTERVAL_NS) -> dict[int | str, GpuUtilization]:
        """The figures of every sampled GPU, by key and by index, with the load over the interval."""
        now_ns = self.at(now_ns)
        found: dict[int | str, GpuUtilization] = {
            key: device.utilization(now_ns, interval_ns)
            for key, device in self._devices.items()
            if device.sample is not None
        }
        return found | {index: found[key] for index, key in keys_by_index(self._devices).items()}

    def files(self, time_of_day: TimeOfDay = by_own_clock) -> list[FileRecord]:
        """The last 100 completed files, oldest first."""
        sampled, identities, records = SampledGpus(self._devices), self.identities(), []
        for completed in self._completions:
            key = completed.event.device
            device = identities.get(key) or self.device(key)
            gpus = sampled.of(device.key)
            records.append(DeviceState(device).record(completed, self.host, time_of_day, gpus))
        return records

    def completions(self) -> list[ev.Envelope]:
        """The events of the files that `files` reports, with their times on the axis."""
        return list(self._completions)

    def files_since_ns(self) -> int:
        """When the first of them, or of the files in progress, was begun; without any, `last_ns`."""
        done = (each.mono_ns - round(each.event.duration_seconds * NANOSECONDS) for each in self._completions)
        in_progress = (stream.since_ns for _, _, stream in self.streams() if stream.is_busy)
        return min(chain(done, in_progress), default=self.last_ns)

    def steals(self, time_of_day: TimeOfDay = by_own_clock) -> list[StealEvent]:
        """The last 50 steals, by the time on the axis."""
        identities = self.identities()
        return [self._steal_event(steal, time_of_day, identities) for steal in self._steals]

    def work(self, now_ns: int) -> HostWork:
        """The work log with the state of the run at `now_ns`, from which the effect of stealing is computed."""
        now_ns = self.at(now_ns)
        streams = [stream for _, _, stream in self.streams()]
        started_ns = self.started_ns or 0
        ups = [(stream.up_ns, stream.device_key) for stream in streams if stream.up_ns is not None]
        devices = self._session_devices()
        # Of a new worker it is not known yet whether it will ever be ready.
        left_ns = gone_ns(worker for worker in self.streams() if worker[-1].is_lost or worker[-1].was_ready)
        steals = self._log.steals.values() if left_ns else ()
        status = RunStatus(
            devices=frozenset(device.key for device in devices),
            living=frozenset(stream.device_key for stream in streams if stream.is_live and stream.device_key),
            # The earliest of each device counts: it is written last.
            up_ns={key: at_ns for at_ns, key in sorted(ups, reverse=True) if at_ns >= started_ns},
            gone_ns=gone_ns(self.streams()),
            in_progress=[
                InProgress(
                    stream.device_key, stream.file, stream.since_ns, stream.share_done or 0.0, stream.progress_ns
                )
                for stream in streams
                if stream.is_busy
            ],
            failed=self.failed_files(),
            is_stealing=self._log.is_stealing(self.run),
            started_ns=started_ns,
            now_ns=now_ns,
            is_over=self.is_over,
            files_total=0 if self.run is None else self.run.files_total,
            loads=[load for stream in streams if (load := stream.load(now_ns)) and load.end_ns >= started_ns],
            loading=frozenset(stream.device_key for stream in streams if stream.is_loading)
            - {stream.device_key for stream in streams if stream.is_live and not stream.is_loading},
            joined_ns={key: self._joined[key] for key in self._late_devices()},
            deserted=frozenset(
                steal.victim for steal in steals if steal.decided_ns > left_ns.get(steal.victim, steal.decided_ns)
            ),
        )
        return HostWork(self.run, self._log, status, devices)

    def _session_devices(self) -> tuple[ev.Device, ...]:
        """The devices of the last session, those that have joined it last."""
        late = (self._devices[key].device for key in self._late_devices())
        return (*(() if self.run is None else self.run.devices), *late)

    def _late_devices(self) -> list[str]:
        """The keys of the devices that have joined the last session, in that order."""
        announced = set() if self.run is None else {device.key for device in self.run.devices}
        return sorted(self._joined.keys() - announced, key=lambda key: (self._joined[key], key))

    def effect(
        self, now_ns: int, cache: TotalsCache | None = None, time_of_day: TimeOfDay = by_own_clock
    ) -> Effect:
        """The effect of stealing on the last session of the run; see effect.py.

        `cache` is for a caller that computes the effect repeatedly.
        """
        work, identities = self.work(now_ns), self.identities()

        def describe(steal: Steal, saved: float | None, saved_range: Range | None) -> StealEffect:
            event = self._steal_event(steal, time_of_day, identities)
            return StealEffect(**event, saved_seconds=saved, saved_range=saved_range)

        effect = effect_of(work.log, work.status, describe, cache)
        return rename_devices(effect, {key: device.key for key, device in identities.items()})

    def _steal_event(
        self, steal: Steal, time_of_day: TimeOfDay, identities: Mapping[str, ev.Device]
    ) -> StealEvent:
        return StealEvent(
            timestamp=time_of_day(steal.wall_ns, steal.decided_ns) / NANOSECONDS,
            source_gpu=display_id(identities.get(steal.victim) or self.device(steal.victim)),
            dest_gpu=display_id(identities.get(steal.thief) or self.device(steal.thief)),
            file_name=steal.file,
            host=self.host,
        )

    def notices(self, time_of_day: TimeOfDay = by_own_clock) -> list[tuple[int, str]]:
        """The last 10 notices of this session, oldest first: (wall-clock time in nanoseconds, text)."""
        # A session's number is the time of its start, by which notices of other sources than the launcher are told
        # apart, too; the launcher's own hold even where the clock was put back.
        return [
            (time_of_day(wall_ns, at_ns), text)
            for epoch, _, wall_ns, at_ns, text in self._notices
            if max(epoch, wall_ns) >= self._session
        ]

    def failed_files(self) -> dict[str, str]:
        """The reasons of files that failed for good and are not pending again, by file."""
        return {
            file: reason
            for file, (_, reason) in self.failures.items()
            if self._net_failures.get(file, 0) > 0 and not self._committed.has(file)
        }

    def failed_at(self) -> dict[str, tuple[int, int]]:
        """When each of these files failed last: the time on the axis, and by the host's wall clock."""
        return {file: self._failed_at.get(file, (0, 0)) for file in self.failed_files()}

    def lossy_sources(self) -> list[SourceCounts]:
        """The streams with lost events."""
        lossy = (each for each in self.streams() if each[2].seen.lost)
        return [stream.source_counts(self.host, source, epoch) for source, epoch, stream in lossy]

    def totals(self) -> Totals:
        """The host's part of the run."""
        streams = [stream for _, _, stream in self.streams()]
        counts = [stream.counts() for stream in streams]
        reopened = Reopened(failed=self._reopened_quarantined)
        for device in self._devices.values():
            reopened = reopened.plus(device.reopened)
        completed, sequences = self._committed.correct(
            sum(count.completed for count in counts) - reopened.completed,
            sum(count.sequences for count in counts) - reopened.sequences,
        )
        failed = self._quarantined + sum(count.failed for count in counts) - reopened.failed
        published = sum(stream.seen.published for stream in streams)
        received = sum(stream.seen.received for stream in streams)
        return Totals(
            files_total=self._log.files_total(self.run, self.started_ns or 0),
            files_completed=completed,
            files_failed=len(self.failed_files()) if self._committed.has_commits else failed,
            sequences=sequences,
            steals=sum(count.stolen for count in counts),
            events_published=published,
            events_received=received,
            events_lost=published - received,
        )

    def plan_warning(self) -> str | None:
        """What is wrong with the plans of own workers, in one line; None: nothing is known to be."""
        return self._log.warning()

    def devices(self) -> list[ev.Device]:
        """Every device that an event has named, by index, then key; a GPU of several names once."""
        merged = merge_same_gpus(self._devices, self.identities())
        return [each.device for each in sorted(merged.values(), key=DeviceState.display_order)]

    def identities(self) -> dict[str, ev.Device]:
        """What devices are called once their GPU is known, by the key that their workers have for them."""
        return find_identities(self._devices, {stream.device_key for _, _, stream in self.streams()})

    def _depth(self, key: str) -> int | None:
        """The files pending in the queue of a device; None if that is unknown."""
        reported = self._depths.get(key)
        return None if reported is None else reported[1]

    def device(self, key: str) -> ev.Device:
        """What is known of a device by this key."""
        device = self._devices.get(key)
        return ev.Device(key) if device is None else device.device

    def streams(self) -> Iterator[tuple[str, int, Stream]]:
        """Every stream with its source and epoch."""
        for source, epochs in self._streams.items():
            for epoch, stream in epochs.items():
                yield source, epoch, stream
