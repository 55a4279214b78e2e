"""One device's account: what its workers did and what the driver says of it, whatever the order of arrival."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.devices import UUID_PREFIXES, display_id
from virnucpro_bus.events.vocabulary import MAX_COUNT
from virnucpro_bus.fold.gpu_history import GpuHistory, bucket_of
from virnucpro_bus.fold.stream import Stream
from virnucpro_bus.fold.windows import RollingWindow
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuMetrics, GpuUtilization, make_utilization

WORKER_SILENT_AFTER_NS = 5 * NANOSECONDS
LOAD_INTERVAL_NS = 2 * NANOSECONDS
"""Over so long a GPU's load is told, where nobody says otherwise."""


Workers = Mapping[tuple[int, str], Stream]
"""The workers of one device, by (epoch, source)."""


class Reopened(Struct, frozen=True, array_like=True):
    """What counts no more, because the files wait again."""

    completed: ev.Count = 0
    failed: ev.Count = 0
    sequences: ev.Count = 0

    def plus(self, other: Reopened) -> Reopened:
        """Both together."""
        sequences = min(self.sequences + other.sequences, MAX_COUNT)
        return Reopened(self.completed + other.completed, self.failed + other.failed, sequences)


class DeviceState(Struct, array_like=True):
    """What is known of one device's work, apart from what its workers' streams say themselves."""

    device: ev.Device
    window: RollingWindow = field(default_factory=RollingWindow)
    last_done_ns: ev.Count = 0
    """When it last completed or failed a file, by the host's monotonic clock; 0 before the first …"""
    last_done_wall_ns: ev.Count = 0
    """… and by its wall clock."""
    stolen_away: ev.Count = 0
    """Files that others have stolen from its queue."""
    planned: bool = False
    """Whether a run has said that it uses this device."""
    sample: ev.GpuSampled | None = None
    history: GpuHistory | None = None
    """None where nobody has ever looked."""
    _sample_at: tuple[ev.Count, ev.Count] = (0, 0)
    _sampled_ns: ev.Count = 0
    reopened: Reopened = Reopened()

    @property
    def device_id(self) -> int | str:
        """What a person calls the device."""
        return display_id(self.device)

    @property
    def is_lost(self) -> bool:
        """Whether the driver has lost the GPU."""
        return self.sample is not None and self.sample.lost

    @property
    def sampled_at(self) -> tuple[int, int]:
        """When the last look was, by (epoch, seq); zeros before the first."""
        return self._sample_at

    def renamed_to(self, gpu: DeviceState) -> DeviceState:
        """A copy of this one, with the name and the samples of `gpu`."""
        return replace(self, device=gpu.device, sample=gpu.sample, history=gpu.history)

    def describe(self, device: ev.Device) -> None:
        """Learn the name and index; of two answers the larger is kept, so that the order does not matter."""
        known = self.device
        indices = [index for index in (known.index, device.index) if index is not None]
        self.device = ev.Device(known.key, max(known.name, device.name), max(indices, default=None))

    def state(self, workers: Workers, now_ns: int) -> str:
        """One word for the device, by the workers that are alive on it; see GpuMetrics.state."""
        if self.is_lost:
            return "lost"
        if not workers:
            return "starting" if self.planned else "unused"
        live = [stream for stream in workers.values() if stream.live]
        if not live:
            return "lost" if workers[max(workers)].lost else "stopped"
        if all(stream.beats and now_ns - stream.heard_ns > WORKER_SILENT_AFTER_NS for stream in live):
            return "silent"
        states = {stream.state for stream in live}
        return next(state for state in ("busy", "idle", "starting") if state in states)

    def add_sample(self, at: tuple[int, int], mono_ns: int, sample: ev.GpuSampled) -> None:
        """Remember a look; the sample is the last one, by (epoch, seq)."""
        if self.history is None:
            self.history = GpuHistory()
        self.history.add(bucket_of(mono_ns, sample))
        if at > self._sample_at:
            self._sample_at, self._sampled_ns, self.sample = at, mono_ns, sample

    def utilization(self, now_ns: int, interval_ns: int) -> GpuUtilization:
        """The last look, with the load of all in the interval before it; all unknown when it is older than 3 s."""
        sample = self.sample
        if sample is None or self.history is None:
            return UNKNOWN_UTILIZATION.copy()
        age_ns = max(0, now_ns - self._sampled_ns)
        # What was known a moment ago is not what is.
        mean, greatest = (None, None) if sample.compute_percent is None else self.history.load(interval_ns)
        return make_utilization(sample, mean, greatest, age_ns / NANOSECONDS)

    def display_order(self) -> tuple[int, str]:
        """Sorts devices by index, then key; those without an index come last."""
        index = self.device.index
        return (MAX_COUNT + 1 if index is None else index, self.device.key)

    def note_finished(self, mono_ns: int, wall_ns: int) -> None:
        """It has completed or failed a file, at that time by the host's clocks."""
        if mono_ns > self.last_done_ns:
            self.last_done_ns = mono_ns
        if wall_ns > self.last_done_wall_ns:
            self.last_done_wall_ns = wall_ns

    def metrics(
        self, host: str, queue_depth: int | None, workers: Workers, now_ns: int, started_ns: int | None
    ) -> GpuMetrics:
        """The device's figures at the host's monotonic time `now_ns`; `started_ns` of its run, None: unknown."""
        last_ns = max(self.last_done_ns, started_ns or 0)
        streams = workers.values()
        counts = [stream.counts() for stream in streams]
        in_hand = [span for stream in streams if (span := stream.in_hand(now_ns)) is not None]
        busy = [(stream.since_ns, stream.file) for stream in streams if stream.busy]
        key = self.device.key
        return GpuMetrics(
            device_id=self.device_id,
            device_name=self.device.name,
            queue_depth=queue_depth,
            files_completed=sum(count.completed for count in counts) - self.reopened.completed,
            work_stolen_from=self.stolen_away,
            work_stolen_to=sum(count.stolen for count in counts),
            throughput=self.window.throughput(now_ns, in_hand),
            last_update_time=self.last_done_wall_ns / NANOSECONDS if self.last_done_wall_ns else None,
            uuid=key if key.startswith(UUID_PREFIXES) else None,
            host=host,
            sequences=sum(count.sequences for count in counts) - self.reopened.sequences,
            files_failed=sum(count.failed for count in counts) - self.reopened.failed,
            state=self.state(workers, now_ns),
            current_file=max(busy)[1] if busy else None,
            seconds_since_done=max(0, now_ns - last_ns) / NANOSECONDS if last_ns else None,
        )
