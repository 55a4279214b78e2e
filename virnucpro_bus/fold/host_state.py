"""What is known of one host, and the figures that follow from it at a moment.

Pure and deterministic. The fields here, and those of what they hold, are what a snapshot of the fold is made of
(`snapshots.py`); `ledger.py` fills them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from msgspec import Struct, field

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.devices import display_id
from virnucpro_bus.effect.effect import effect_of
from virnucpro_bus.effect.shares import HostWork, InProgress, RunStatus
from virnucpro_bus.effect.totals import TotalsCache
from virnucpro_bus.effect.work_log import Steal, WorkLog
from virnucpro_bus.fold.device import LOAD_INTERVAL_NS, DeviceState, Reopened
from virnucpro_bus.fold.gpu_history import GpuFigures
from virnucpro_bus.fold.gpu_identity import SampledGpus, merge_same_gpus
from virnucpro_bus.fold.stream import Stream
from virnucpro_bus.fold.windows import Completions
from virnucpro_bus.metrics import (
    Effect,
    FileRecord,
    GpuMetrics,
    GpuUtilization,
    SourceCounts,
    StealEffect,
    StealEvent,
    Totals,
)

INTERRUPTED = 128
"""From this exit status on a run was ended by a signal."""


class HostState(Struct, array_like=True):
    """One host's part in the runs. Not thread-safe: its owner is one thread, or holds a lock."""

    host: str
    run: ev.RunStarted | None = None
    """None until a launched run has announced itself."""
    finished: ev.RunFinished | None = None
    """None as long as the launcher has not said that the run is over."""
    is_broken_off: bool = False
    """Whether nothing more will come, though no end was told."""
    unknown_kinds: ev.Count = 0
    """Events passed over, because this version does not know their kind."""
    failures: dict[str, tuple[ev.Count, str]] = {}
    """(attempt, reason) of files that failed for good."""
    _devices: dict[str, DeviceState] = {}
    _streams: dict[str, dict[ev.Count, Stream]] = {}
    _started_ns: ev.Count | None = None
    _finished_ns: ev.Count | None = None
    _depths_at: tuple[ev.Count, ev.Count] = (0, 0)
    _depths: dict[str, ev.Count] = {}
    _quarantined: ev.Count = 0
    _steals: list[Steal] = []
    _notices: list[tuple[ev.Count, ev.Count, ev.Count, str]] = []
    """The latest, as (epoch, seq, wall-clock time, text)."""
    attempts: dict[str, list[tuple[ev.Count, str, str]]] = {}
    """(attempt, device, reason) of those that came to nothing, by file."""
    _session: ev.Count = 0
    """The epoch under which the launcher has last begun or ended the run; a run that is resumed begins again."""
    _given_up: dict[str, int] = {}
    """How often a file has failed for good, less how often it waited again after that."""
    _unquarantined: ev.Count = 0
    """How many quarantined files wait again."""
    _boot_ns: ev.Count | None = None
    """Wall-clock time at which the host's monotonic clock was 0, by the last run that began there."""
    _book: WorkLog = field(default_factory=WorkLog)
    _completions: Completions = field(default_factory=Completions)

    @property
    def last_ns(self) -> int:
        """The host's monotonic time of the newest event; 0 before the first."""
        return max((stream.heard_ns for _, _, stream in self._each_stream()), default=0)

    @property
    def last_beat(self) -> tuple[int, int]:
        """When the newest heartbeat was sent, by the host's monotonic and wall clock; zeros before the first."""
        return max((stream.beat_times for _, _, stream in self._each_stream()), default=(0, 0))

    def at(self, now_ns: int) -> int:
        """`now_ns` (this host's monotonic clock), but not past the end of the run: what is over stays so."""
        return now_ns if self._finished_ns is None else min(now_ns, self._finished_ns)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be done in the run."""
        return self.finished is not None or self.is_broken_off

    def break_off(self) -> None:
        """A launched run's hub is gone, and the run is not over: its workers have ended with it."""
        if self.run is None or self.is_over:
            return
        self.is_broken_off, self._finished_ns = True, self.last_ns
        for _, _, stream in self._each_stream():
            if stream.live:
                stream.state = "stopped"

    def elapsed_seconds(self, now_ns: int) -> float | None:
        """Time since the run started; None when no run has announced itself."""
        if self._started_ns is None:
            return None
        return max(0, self.at(now_ns) - self._started_ns) / NANOSECONDS

    def metrics(self, now_ns: int) -> list[GpuMetrics]:
        """One row a device, by index, then key. Where no run was planned, unused GPUs have a row too."""
        now_ns = self.at(now_ns)
        workers: defaultdict[str, dict[tuple[int, str], Stream]] = defaultdict(dict)
        for source, epoch, stream in self._each_stream():
            workers[stream.device_key][epoch, source] = stream
        shown = [
            (key, account)
            for key, account in merge_same_gpus(self._devices, workers.keys()).items()
            if self.run is None or account.planned or workers[key] or account.stolen_away
        ]
        shown.sort(key=lambda each: each[1].display_order())
        rows = [
            account.metrics(self.host, self._depths.get(key), workers[key], now_ns, self._started_ns)
            for key, account in shown
        ]
        if self.finished is not None and self.finished.exit_code >= INTERRUPTED:
            for (_, account), row in zip(shown, rows, strict=True):
                # Workers that were ended with the run are no trouble.
                if row["state"] == "lost" and not account.is_lost:
                    row["state"] = "stopped"
        return rows

    def utilization(
        self, device_id: int | str, now_ns: int, interval_ns: int = LOAD_INTERVAL_NS
    ) -> GpuUtilization | None:
        """The last look at a GPU, by UUID or index, with its load in the interval. None: no such GPU here."""
        found = self._sampled(device_id)
        return None if found is None else found.utilization(self.at(now_ns), interval_ns)

    def utilizations(self, now_ns: int, interval_ns: int) -> dict[str, GpuUtilization]:
        """As `utilization`, of every GPU that was looked at, by key."""
        now_ns = self.at(now_ns)
        return {
            key: account.utilization(now_ns, interval_ns)
            for key, account in self._devices.items()
            if account.sample is not None
        }

    def _sampled(self, device_id: int | str) -> DeviceState | None:
        if isinstance(device_id, str):
            named = self._devices.get(device_id)
            return None if named is None or named.sample is None else named
        # Several may have had the index, one after the other.
        having = (
            account
            for account in self._devices.values()
            if account.sample is not None and account.sample.device.index == device_id
        )
        return max(having, key=lambda account: account.sampled_at, default=None)

    def files(self) -> list[FileRecord]:
        """The last 100 completions, oldest first."""
        gpus = SampledGpus(self._devices)
        return [self._record(completed, gpus) for completed in self._completions]

    def _record(self, completed: ev.Envelope, gpus: SampledGpus) -> FileRecord:
        event, key = completed.event, completed.event.device
        account = gpus.find(key) or self._devices.get(key, DeviceState(ev.Device(key)))
        history = account.history
        start_ns = completed.mono_ns - round(event.duration_seconds * NANOSECONDS)
        figures = GpuFigures() if history is None else history.during(start_ns, completed.mono_ns)
        return FileRecord(
            file=event.file,
            device=key,
            device_id=account.device_id,
            host=self.host,
            attempt=event.attempt,
            ended=completed.wall_ns / NANOSECONDS,
            duration_seconds=event.duration_seconds,
            sequences=event.sequences,
            compute_percent=figures.compute_percent,
            memory_peak_bytes=figures.memory_peak_bytes,
            energy_joules=figures.energy_joules,
            simulated=None if account.sample is None else account.sample.simulated,
        )

    def steals(self) -> list[StealEvent]:
        """The last 50 steals, oldest first."""
        return [self._told(steal) for steal in self._steals]

    def work(self, now_ns: int) -> HostWork:
        """What was planned and done, with what else is known at that time."""
        streams = [stream for _, _, stream in self._each_stream()]
        started_ns = self._started_ns or 0
        ups = [(stream.up_ns, stream.device_key) for stream in streams if stream.up_ns is not None]
        look = RunStatus(
            devices=frozenset(device.key for device in self.run.devices) if self.run else frozenset(),
            living=frozenset(stream.device_key for stream in streams if stream.live and stream.device_key),
            # The first of each stands, being the last to be written down.
            up_ns={key: at_ns for at_ns, key in sorted(ups, reverse=True) if at_ns >= started_ns},
            gone_ns=self._gone_ns(),
            in_progress=[
                InProgress(stream.device_key, stream.file, stream.since_ns) for stream in streams if stream.busy
            ],
            failed=self.failed_files(),
            is_stealing=self.run is None or self.run.policy != "off",
            started_ns=started_ns,
            now_ns=self.at(now_ns),
            is_over=self.is_over,
            files_total=0 if self.run is None else self.run.files_total,
        )
        return HostWork(self.run, self._book, look)

    def _gone_ns(self) -> dict[str, int]:
        last: dict[str, tuple[int, str, int]] = {}
        for source, epoch, stream in self._each_stream():
            worker = (epoch, source, stream.lost_ns if stream.lost else 0)
            last[stream.device_key] = max(last.get(stream.device_key, worker), worker)
        return {key: lost_ns for key, (_, _, lost_ns) in last.items() if lost_ns}

    def effect(self, now_ns: int, cache: TotalsCache | None = None) -> Effect:
        """What stealing has done for the run of the last session; see effect.py. `cache`: of who looks again."""
        work = self.work(now_ns)

        def tell(steal: Steal, saved: float | None) -> StealEffect:
            return StealEffect(**self._told(steal), saved_seconds=saved)

        return effect_of(work.log, work.status, tell, cache)

    def _told(self, steal: Steal) -> StealEvent:
        return StealEvent(
            timestamp=steal.stolen_at_ns / NANOSECONDS,
            source_gpu=self._device_id(steal.victim),
            dest_gpu=self._device_id(steal.thief),
            file_name=steal.file,
            host=self.host,
        )

    def notices(self) -> list[tuple[int, str]]:
        """The last 10 notices to the user, oldest first: (wall-clock time in nanoseconds, text)."""
        return [(wall_ns, text) for _, _, wall_ns, text in self._notices]

    def failed_files(self) -> dict[str, str]:
        """Why files failed for good and do not wait again, by file."""
        return {file: reason for file, (_, reason) in self.failures.items() if self._given_up.get(file, 0) > 0}

    def lossy_sources(self) -> list[SourceCounts]:
        """The streams of which events are missing."""
        return [
            SourceCounts(
                host=self.host,
                source=source,
                epoch=epoch,
                published=stream.seen.published,
                received=stream.seen.received,
                lost=stream.seen.lost,
            )
            for source, epoch, stream in self._each_stream()
            if stream.seen.lost
        ]

    def totals(self) -> Totals:
        """The host's part of the run."""
        streams = [stream for _, _, stream in self._each_stream()]
        counts = [stream.counts() for stream in streams]
        again = Reopened(failed=self._unquarantined)
        for account in self._devices.values():
            again = again.plus(account.reopened)
        published = sum(stream.seen.published for stream in streams)
        received = sum(stream.seen.received for stream in streams)
        return Totals(
            files_total=None if self.run is None else self.run.files_total,
            files_completed=sum(count.completed for count in counts) - again.completed,
            files_failed=self._quarantined + sum(count.failed for count in counts) - again.failed,
            sequences=sum(count.sequences for count in counts) - again.sequences,
            steals=sum(count.stolen for count in counts),
            events_published=published,
            events_received=received,
            events_lost=published - received,
        )

    def _device_id(self, key: str) -> int | str:
        account = self._devices.get(key)
        return display_id(ev.Device(key)) if account is None else account.device_id

    def _each_stream(self) -> Iterator[tuple[str, int, Stream]]:
        """Every stream with its source and epoch."""
        for source, epochs in self._streams.items():
            for epoch, stream in epochs.items():
                yield source, epoch, stream
