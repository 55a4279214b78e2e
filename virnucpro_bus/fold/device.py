"""The state of one device: what its workers did and what the driver reports, whatever the order of arrival."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.device_keys import gpus_of, order_of, uuid_of
from virnucpro_bus.devices import display_id, is_simulated
from virnucpro_bus.events.envelope import WORKER_SOURCE_PREFIX
from virnucpro_bus.events.host_time import TimeOfDay
from virnucpro_bus.events.vocabulary import MAX_COUNT
from virnucpro_bus.fold.stream import Stream
from virnucpro_bus.fold.windows import RollingWindow
from virnucpro_bus.metrics import (
    UNKNOWN_UTILIZATION,
    FileRecord,
    GpuMetrics,
    GpuUtilization,
    make_utilization,
)
from virnucpro_bus.samples.gpu_figures import GpuFigures, bucket_of
from virnucpro_bus.samples.gpu_history import GpuHistory
from virnucpro_bus.samples.joint_figures import any_simulated, joint_figures, sum_of_known
from virnucpro_bus.samples.process_figures import process_figures

WORKER_SILENT_AFTER_NS = 5 * NANOSECONDS
"""A worker without a heartbeat or other event for longer than this is silent."""
LOAD_INTERVAL_NS = 2 * NANOSECONDS
"""The interval before the last sample of which a GPU's load is the mean, by default."""

Workers = Mapping[tuple[int, str], Stream]
"""The workers of one device, by (epoch, source)."""


class Reopened(Struct, frozen=True, array_like=True):
    """What no longer counts, because its files are pending again."""

    completed: ev.Count = 0
    failed: ev.Count = 0
    sequences: ev.Count = 0

    def plus(self, other: Reopened) -> Reopened:
        """Return the sum of both."""
        sequences = min(self.sequences + other.sequences, MAX_COUNT)
        return Reopened(self.completed + other.completed, self.failed + other.failed, sequences)


class DeviceState(Struct, array_like=True):
    """The state of one device, apart from its workers' streams. Not thread-safe."""

    device: ev.Device
    window: RollingWindow = field(default_factory=RollingWindow)
    last_done_ns: ev.Count = 0
    """When it last completed or failed a file, on the host's axis of time; 0 before the first …"""
    last_done_wall_ns: ev.Count = 0
    """… and by its wall clock, which may have been set since."""
    stolen_away: ev.Count = 0
    """Files that other devices have stolen from its queue."""
    is_planned: bool = False
    """Whether a run has announced that it uses this device."""
    sample: ev.GpuSampled | None = None
    """The last sample; None if it was never sampled."""
    history: GpuHistory | None = None
    """All samples; None if it was never sampled."""
    sample_order: tuple[ev.Count, ev.Count] = (0, 0)
    """When the last sample was taken, and its number; zeros before the first. Epochs may go back with a clock."""
    reopened: Reopened = Reopened()
    gpus_counted: ev.Count | None = None
    """Among how many GPUs its key counts, as its workers report; None: unknown; 0: reports differ."""

    @property
    def device_id(self) -> int | str:
        """What the device is called in reports; see GpuMetrics.device_id."""
        return display_id(self.device)

    @property
    def is_lost(self) -> bool:
        """Whether the driver has lost the GPU, by the last sample."""
        return self.sample is not None and self.sample.lost

    @property
    def is_simulated(self) -> bool | None:
        """Whether its figures are simulated, by its key or the last sample; None: a real one, never sampled."""
        return is_simulated(self.device.key) or (None if self.sample is None else self.sample.simulated)

    def renamed_to(self, device: ev.Device, gpu: DeviceState | None) -> DeviceState:
        """Return a copy that is called `device`, with the samples of `gpu`; None: with its own."""
        if gpu is None:
            return replace(self, device=device)
        return replace(self, device=device, sample=gpu.sample, history=gpu.history)

    def count_gpus(self, gpus: int | None) -> None:
        """Note among how many GPUs its key counts, as a worker reports it; None: unknown."""
        if gpus is not None:
            self.gpus_counted = gpus if self.gpus_counted in (None, gpus) else 0

    def describe(self, device: ev.Device) -> None:
        """Set name, index and label. Of two values the greater is kept, so that no order of arrival matters."""
        known = self.device
        if device == known:
            return  # nearly every sample names the device as the one before
        indices = [index for index in (known.index, device.index) if index is not None]
        names = max(known.name, device.name), max(indices, default=None), max(known.label, device.label)
        self.device = ev.Device(known.key, *names)

    def state(self, workers: Workers, now_ns: int) -> str:
        """The device's state as one word, by its live workers; see GpuMetrics.state."""
        if self.is_lost:
            return "lost"
        if not workers:
            return "starting" if self.is_planned else "unused"
        live = [stream for stream in workers.values() if stream.is_live]
        if not live:
            return "lost" if workers[max(workers)].is_lost else "stopped"
        if all(stream.has_heartbeat and now_ns - stream.heard_ns > WORKER_SILENT_AFTER_NS for stream in live):
            return "silent"
        states = {stream.reported_state for stream in live}
        return next(state for state in ("busy", "idle", "loading", "starting") if state in states)

    def add_sample(self, mono_ns: int, seq: int, sample: ev.GpuSampled) -> None:
        """Add sample number `seq`, taken at `mono_ns` on the host's axis of time."""
        if self.history is None:
            self.history = GpuHistory()
        self.history.add(bucket_of(mono_ns, sample))
        if (mono_ns, seq) > self.sample_order:
            self.sample_order, self.sample = (mono_ns, seq), sample

    def utilization(self, now_ns: int, interval_ns: int) -> GpuUtilization:
        """The figures of the last sample, with the load over the interval before it.

        All are unknown if it is stale, or the device was never sampled.
        """
        sample = self.sample
        if sample is None or self.history is None:
            return UNKNOWN_UTILIZATION.copy()
        age_ns = max(0, now_ns - self.sample_order[0])
        # A load that the last sample does not report is unknown, even if earlier ones did.
        mean, greatest = (None, None) if sample.compute_percent is None else self.history.load(interval_ns)
        return make_utilization(sample, mean, greatest, age_ns / NANOSECONDS)

    def figures_during(self, start_ns: int, end_ns: int) -> GpuFigures:
        """What this GPU did in that time; all unknown if it was never sampled."""
        return GpuFigures() if self.history is None else self.history.during(start_ns, end_ns)

    def record(
        self, completed: ev.Envelope, host: str, time_of_day: TimeOfDay, gpus: Sequence[DeviceState]
    ) -> FileRecord:
        """The figures of a file that a worker on this device completed, which uses those GPUs."""
        event = completed.event
        start_ns = completed.mono_ns - round(event.duration_seconds * NANOSECONDS)
        figures = joint_figures([gpu.figures_during(start_ns, completed.mono_ns) for gpu in gpus])
        return FileRecord(
            file=event.file,
            device=self.device.key,
            device_id=self.device_id,
            host=host,
            attempt=event.attempt,
            ended=time_of_day(completed.wall_ns, completed.mono_ns) / NANOSECONDS,
            duration_seconds=event.duration_seconds,
            sequences=event.sequences,
            compute_percent=figures.compute_percent,
            memory_peak_bytes=figures.memory_peak_bytes,
            energy_joules=figures.energy_joules,
            simulated=any_simulated([gpu.is_simulated for gpu in gpus]),
        )

    def display_order(self) -> tuple[int, tuple[str, int]]:
        """Sort key: by index, then key; devices without an index come last."""
        index = self.device.index
        return (MAX_COUNT + 1 if index is None else index, order_of(self.device.key))

    def note_finished(self, mono_ns: int, wall_ns: int) -> None:
        """Record that it completed or failed a file, at these times on the axis and by the wall clock."""
        if mono_ns > self.last_done_ns:
            self.last_done_ns, self.last_done_wall_ns = mono_ns, wall_ns
        elif mono_ns == self.last_done_ns and wall_ns > self.last_done_wall_ns:
            self.last_done_wall_ns = wall_ns

    def metrics(
        self,
        host: str,
        queue_depth: int | None,
        workers: Workers,
        now_ns: int,
        started_ns: int | None,
        time_of_day: TimeOfDay,
        makespan_seconds: float | None = None,
    ) -> GpuMetrics:
        """The device's figures at `now_ns`. `started_ns` is the start of the run's last session; None: unknown.

        Both times are on the host's axis of time. `makespan_seconds` is as for HostState.metrics.
        """
        since_ns = max(started_ns or 0, ready_ns(workers, now_ns))
        last_ns = max(self.last_done_ns, since_ns)
        last_update_ns = time_of_day(self.last_done_wall_ns, self.last_done_ns)
        streams = workers.values()
        counts = [stream.counts() for stream in streams]
        in_progress = [span for stream in streams if (span := stream.in_progress(now_ns)) is not None]
        busy = [(stream.since_ns, stream.file, of) for of, stream in workers.items() if stream.is_busy]
        _, current_file, worker = max(busy, default=(0, None, None))
        share_done = None if worker is None else workers[worker].share_done
        latest = max(workers, default=None)
        load = None if latest is None else workers[latest].load(now_ns)
        processes = [process_figures(stream.usages, now_ns) for stream in streams if stream.is_live]
        key = self.device.key
        return GpuMetrics(
            device_id=self.device_id,
            device_name=self.device.name,
            queue_depth=queue_depth,
            files_completed=sum(count.completed for count in counts) - self.reopened.completed,
            work_stolen_from=self.stolen_away,
            work_stolen_to=sum(count.stolen for count in counts),
            throughput=_whole_throughput(streams, started_ns or 0, makespan_seconds)
            if makespan_seconds
            else self.window.throughput(now_ns, in_progress, since_ns),
            last_update_time=last_update_ns / NANOSECONDS if self.last_done_wall_ns else None,
            uuid=uuid_of(key),
            host=host,
            sequences=sum(count.sequences for count in counts) - self.reopened.sequences,
            files_failed=sum(count.failed for count in counts) - self.reopened.failed,
            state=self.state(workers, now_ns),
            current_file=current_file,
            seconds_since_done=max(0, now_ns - last_ns) / NANOSECONDS if last_ns else None,
            current_file_percent=None if share_done is None else 100.0 * share_done,
            loading_seconds=None if load is None else load.seconds,
            key=key,
            gpus=list(gpus_of(key)),
            cpu_percent=sum_of_known([process.cpu_percent for process in processes]),
            resident_bytes=sum_of_known([process.resident_bytes for process in processes]),
            read_bytes_per_second=sum_of_known([process.read_bytes_per_second for process in processes]),
            worker=None if latest is None else latest[1],
        )


def _whole_throughput(streams: Iterable[Stream], started_ns: int, makespan_seconds: float) -> float | None:
    """Sequences per second of a whole session, by the workers that were heard in it; None: no file is completed.

    Every device's is over the same time, so that they add up to the run's.
    """
    counts = [stream.counts() for stream in streams if stream.heard_ns >= started_ns]
    if not any(count.completed for count in counts):
        return None
    return sum(count.sequences for count in counts) / makespan_seconds


def ready_ns(workers: Workers, now_ns: int) -> int:
    """When the first of the workers that are live, or else the last one, had loaded its job; now while all load.

    0 where none of them has loaded any, or that is unknown.
    """
    live = [stream for stream in workers.values() if stream.is_live]
    last = [workers[key] for key in sorted(workers)[-1:]]
    return min((stream.load_end_ns(now_ns) or 0 for stream in live or last), default=0)


def own_workers(device: DeviceState, workers: dict[tuple[int, str], Stream]) -> dict[tuple[int, str], Stream]:
    """The workers whose device it is: of a run's device those that its launcher has started, if there are any."""
    own = {each: workers[each] for each in workers if each[1].startswith(WORKER_SOURCE_PREFIX)}
    return own if own and device.is_planned else workers
