"""The figures that a viewer shows, and the two protocols through which it reads them.

`MetricsSource` is implemented by the coordinator (in its own process) and by the fleet fold (over the bus or from
a capture); `UtilizationSource` by the GPU monitor (this machine) and by the fleet fold. So one dashboard serves
`LoadBalancingDashboard(coordinator, GPUMonitor())` as well as `LoadBalancingDashboard(fleet, fleet)`.

None always means unknown: n/a on screen, an empty cell in a log, null in JSON; never 0.
"""

from __future__ import annotations

from typing import Protocol, TypedDict

STALE_AFTER_SECONDS = 3.0
"""An older sample of a GPU is stale: its figures are unknown."""


Range = tuple[float, float | None]
"""The least and the greatest value that an estimated figure is likely to have (95 %). The second is None where
only the first is known: then the figure itself is None, and all that is known is that it is at least so much."""


class GpuMetrics(TypedDict):
    """The work of one device. Counters are since the start of the run."""

    device_id: int | str
    """The GPU's NVML index; "0#1" for worker 1 of several on GPU 0, "0+1" for a worker on both GPUs; "cpu:N" for a
    CPU worker; the key when the index is unknown. For display only."""
    device_name: str
    queue_depth: int | None
    """Files pending in this device's queue; None: not reported (workers without a coordinator)."""
    files_completed: int
    work_stolen_from: int
    """Files that other devices took from this device's queue."""
    work_stolen_to: int
    """Files that this device took from the queues of others."""
    throughput: float | None
    """Sequences per second over the rolling window; once the run is over, from the start of the first file of its
    session to the end of the last one. None before the first completion or progress."""
    last_update_time: float | None
    """Wall-clock time (seconds since 1970) of the last completion or failure; None before the first."""
    uuid: str | None
    """The GPU's UUID; None for a CPU worker, for several GPUs, or when unknown."""
    host: str
    sequences: int
    files_failed: int
    state: str
    """"starting" without a worker yet, "loading" while it loads its job, "idle", "busy", "stopped", "lost", or
    "silent" when heartbeats have stopped coming."""
    current_file: str | None
    seconds_since_done: float | None
    """Since its last completion or failure, the start of the run, or when its job was loaded, whichever is last; 0
    while it loads; None when none is known."""
    current_file_percent: float | None
    """How much of `current_file` is done, 100 at most; None without one, and where the job reports no total."""
    loading_seconds: float | None
    """How long its present worker, or else the last one, has been loading its job, or took to load it; None: it
    never reported that it loads, or unknown."""
    key: str
    """The device's key: its identity in events and in an Effect."""
    gpus: list[str]
    """The keys of the GPUs that it uses; empty for a CPU worker. Devices that share a GPU each have the figures of
    the whole GPU, so a sum over devices must count it once."""
    cpu_percent: float | None
    """The processor time of its workers' processes and of what they have started, as a percentage of one core, so
    that 250 is two and a half; the mean of the last two seconds. None where none of them reports it."""
    resident_bytes: int | None
    """The memory of these processes that is resident; None likewise."""
    read_bytes_per_second: float | None
    """What their read calls return, from disks, caches and pipes, over the same two seconds; None likewise."""
    worker: str | None
    """The source of its present worker, or else of the last one, as in events and in the name of that worker's own
    log; None: it never had one, or unknown."""


class GpuMetricsOfRun(GpuMetrics):
    """The same where several runs are shown together."""

    run: str
    """The run folder or address of its run."""


class GpuUtilization(TypedDict):
    """The figures of one GPU, as its driver reports them. Each field may be unknown on its own.

    A GPU is sampled more often than it is shown: `compute_percent` is the mean of the samples of the last
    interval, the other figures are those of the last sample. Figures older than 3 s are unknown; their age is not.
    """

    compute_percent: float | None
    memory_percent: float | None
    temperature: float | None
    """Degrees Celsius."""
    power_watts: float | None
    compute_max_percent: float | None
    """The maximum of the same samples."""
    energy_joules: float | None
    """Since the driver was loaded."""
    sample_age_seconds: float | None
    """Age of the last sample; None: the GPU was never sampled."""
    simulated: bool
    """Whether the figures are simulated, for a demonstration."""
    lost: bool
    """Whether the driver reported the GPU as gone at the last sample, however old that is."""
    memory_used_bytes: int | None
    """In use, by any process."""
    memory_total_bytes: int | None


UNKNOWN_UTILIZATION: GpuUtilization = {
    "compute_percent": None,
    "memory_percent": None,
    "temperature": None,
    "power_watts": None,
    "compute_max_percent": None,
    "energy_joules": None,
    "sample_age_seconds": None,
    "simulated": False,
    "lost": False,
    "memory_used_bytes": None,
    "memory_total_bytes": None,
}


class StealEvent(TypedDict):
    """One file that another device took from a device's queue."""

    timestamp: float
    """Wall-clock time of the decision, seconds since 1970."""
    source_gpu: int | str
    """The victim's device_id."""
    dest_gpu: int | str
    """The thief's device_id."""
    file_name: str
    host: str


class SourceCounts(TypedDict):
    """The events of one source: received + lost = published, always."""

    host: str
    source: str
    epoch: int
    """The start of the source; a greater number is a later start."""
    published: int
    """Events that the source is known to have published (the highest sequence number of its stream)."""
    received: int
    lost: int


class FailedAttempt(TypedDict):
    """A failed attempt at a file."""

    attempt: int
    """Its number, from 1; 0: not counted."""
    device: str
    """The device's key."""
    reason: str


class FileRecord(TypedDict):
    """A completed file, and what its GPU did meanwhile: unknown if the GPU was not sampled then."""

    file: str
    device: str
    """The key of the device that processed it."""
    device_id: int | str
    """The `device_id` of that device, for display."""
    host: str
    attempt: int
    """The number of the attempt at the file, from 1; 0: not counted."""
    ended: float
    """Wall-clock time, seconds since 1970."""
    duration_seconds: float
    sequences: int
    compute_percent: float | None
    """Mean from the file's start to its end; None if samples do not show it with enough certainty."""
    memory_peak_bytes: int | None
    """The most memory in use at any sample in that time, by any process; None likewise."""
    energy_joules: float | None
    """Used by the GPU from the file's start to its end; None if its counter is unknown for part of that time, or
    went back. Up to a second at either end is extrapolated from the samples beside it."""
    simulated: bool | None
    """Whether the figures are simulated; None: a real device was never sampled."""


class Totals(TypedDict):
    """The run as a whole."""

    files_total: int | None
    """None when files are processed without a plan (no coordinator, or one that plans no files)."""
    files_completed: int
    files_failed: int
    sequences: int
    steals: int
    events_published: int
    """Events that the sources are known to have published (the highest sequence number of each stream)."""
    events_received: int
    events_lost: int
    """published - received, always."""


class StealEffect(StealEvent):
    """A steal and its effect on the run."""

    saved_seconds: float | None
    """How much sooner thief and victim were both done; negative: later; None: unknown, or not done yet."""
    saved_range: Range | None
    """What `saved_seconds` is likely between."""


class Effect(TypedDict):
    """The effect of stealing on a run. Times count from the start of the first file.

    A figure that is estimated has a range, within which it likely is; None when nothing is known.
    """

    makespan_seconds: float | None
    """Until now, or until the last file was done."""
    makespan_expected_seconds: float | None
    """Until the last file will be done, estimated; equal to the above once it is."""
    makespan_expected_range: Range | None
    makespan_without_stealing_seconds: float | None
    """Until the last file would be done if each device processed the files initially assigned to it."""
    makespan_without_stealing_range: Range | None
    lower_bound_seconds: float | None
    """No distribution of the files could be faster."""
    lower_bound_range: Range | None
    above_bound_percent: float | None
    """How much the expected makespan is above the lower bound."""
    above_bound_range: Range | None
    saved_seconds: float | None
    """Saved by stealing in total: the makespan without it, minus the expected one."""
    saved_range: Range | None
    tail_seconds: float | None
    """From when the first device had nothing more to do until the end, or until now."""
    jain_index: float | None
    """How even the devices' busy times are: 1 for all equal, 1/n if one of n did everything."""
    max_over_mean_finish: float | None
    """The finish of the last device as a multiple of the mean finish."""
    idle_seconds: dict[str, float]
    """By device key: how long it had no file in progress."""
    busy_seconds: dict[str, float]
    """By device key: how long it had a file in progress."""
    finish_seconds: dict[str, float]
    """By device key: when it last had a file in progress."""
    moves: int
    """The steals of this session whose file the thief has completed or has in progress."""
    steals: list[StealEffect]
    """The last 1,000 of them, oldest first."""
    loading_seconds: dict[str, float]
    """By device key: how long its workers have loaded their job, added up; without devices that never reported it.
    Before the start of the first file it is in no other figure, after that in `idle_seconds`."""


class SampledFigures(Protocol):
    """What one sample of a GPU holds. Each field may be unknown (None) on its own."""

    @property
    def memory_percent(self) -> float | None:
        """Memory used / total."""
        ...

    @property
    def memory_used_bytes(self) -> int | None:
        """Memory in use, by any process."""
        ...

    @property
    def memory_total_bytes(self) -> int | None:
        """Memory of the GPU."""
        ...

    @property
    def temperature_celsius(self) -> float | None:
        """Temperature of the chip."""
        ...

    @property
    def power_watts(self) -> float | None:
        """Power drawn."""
        ...

    @property
    def energy_millijoules(self) -> int | None:
        """Energy used since the driver was loaded."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether the figures are simulated."""
        ...

    @property
    def lost(self) -> bool:
        """Whether the driver reports the GPU as gone."""
        ...


def is_stale_age(age_seconds: float) -> bool:
    """Whether a sample of this age is stale."""
    return age_seconds > STALE_AFTER_SECONDS


def is_stale(utilization: GpuUtilization) -> bool:
    """Whether the last sample is older than STALE_AFTER_SECONDS. False when the GPU was never sampled."""
    age_seconds = utilization["sample_age_seconds"]
    return age_seconds is not None and is_stale_age(age_seconds)


def make_utilization(
    sample: SampledFigures, mean_percent: float | None, max_percent: float | None, age_seconds: float
) -> GpuUtilization:
    """Make the figures of a GPU from its last sample, and the mean and maximum load over the caller's interval.

    Of a stale sample, only its age, `simulated` and `lost` are known.
    """
    energy = sample.energy_millijoules
    utilization = GpuUtilization(
        compute_percent=mean_percent,
        memory_percent=sample.memory_percent,
        temperature=sample.temperature_celsius,
        power_watts=sample.power_watts,
        compute_max_percent=max_percent,
        energy_joules=None if energy is None else energy / 1000,
        sample_age_seconds=age_seconds,
        simulated=sample.simulated,
        lost=sample.lost,
        memory_used_bytes=sample.memory_used_bytes,
        memory_total_bytes=sample.memory_total_bytes,
    )
    if not is_stale(utilization):
        return utilization
    return {
        **UNKNOWN_UTILIZATION,
        "sample_age_seconds": age_seconds,
        "simulated": sample.simulated,
        "lost": sample.lost,
    }


class MetricsSource(Protocol):
    """A source of work figures. Safe to call from any thread."""

    def get_gpu_metrics(self) -> list[GpuMetrics]:
        """Return one row per device, in a stable order."""
        ...

    def get_recent_steal_events(self) -> list[StealEvent]:
        """Return the last 50 steals, oldest first."""
        ...

    def get_totals(self) -> Totals:
        """Return the totals of the run."""
        ...


class UtilizationSource(Protocol):
    """A source of GPU figures. Safe to call from any thread; never blocks on a driver for long."""

    def get_gpu_utilization(self, device_id: int | str) -> GpuUtilization:
        """Return the figures of a GPU by NVML index or UUID; for an unknown device every figure is None."""
        ...
