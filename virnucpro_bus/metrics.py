"""What a viewer is shown, and the two protocols by which it asks for it.

`MetricsSource` is spoken by the coordinator (in its own process) and by the fleet fold (over the bus or from a
capture); `UtilizationSource` by the GPU monitor (this machine) and by the fleet fold. So one dashboard serves
`LoadBalancingDashboard(coordinator, GPUMonitor())` as well as `LoadBalancingDashboard(fleet, fleet)`.

None always means unknown: shown as n/a, an empty cell in a log, null in JSON; never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Protocol, TypedDict


class GpuMetrics(TypedDict):
    """One device's work. Counters are since the start of the run."""

    device_id: int | str
    """The GPU's NVML index; "cpu:N" for a CPU worker; the key itself where no index is known. Display only."""
    device_name: str
    queue_depth: int | None
    """Files waiting in this device's queue; None when nobody has said (workers without a coordinator)."""
    files_completed: int
    work_stolen_from: int
    """Files that others took from this device's queue."""
    work_stolen_to: int
    """Files that this device took from others' queues."""
    throughput: float | None
    """Sequences per second over the rolling window; None before the first completion or progress."""
    last_update_time: float | None
    """Wall-clock time (seconds since 1970) of the last completion or failure; None before the first."""
    uuid: str | None
    """The GPU's UUID; None for a CPU worker or where it is unknown."""
    host: str
    sequences: int
    files_failed: int
    state: str
    """"starting", "idle", "busy", "stopped", "lost", or "silent" when heartbeats have stopped coming."""
    current_file: str | None
    seconds_since_done: float | None
    """Since its last completion or failure, or since the start of the run; None where neither is known."""


class GpuUtilization(TypedDict):
    """What the driver says of one GPU. Every field may be unknown on its own.

    The GPU is looked at more often than it is shown: `compute_percent` is the mean of the looks of the last
    interval, the others are those of the last look. Figures older than 3 s are unknown; their age is not.
    """

    compute_percent: float | None
    memory_percent: float | None
    temperature: float | None
    """Degrees Celsius."""
    power_watts: float | None
    compute_max_percent: float | None
    """The greatest of the same looks."""
    energy_joules: float | None
    """Since the driver was loaded."""
    sample_age_seconds: float | None
    """How old the last look is; None where there has never been one."""
    simulated: bool
    """Whether the figures are made up, for a demonstration."""
    lost: bool
    """Whether the driver has said at the last look that the GPU is gone, however long ago that was."""


class StealEvent(TypedDict):
    """One file that moved from one device's queue to another device."""

    timestamp: float
    """Wall-clock time of the decision, seconds since 1970."""
    source_gpu: int | str
    """The victim's device_id."""
    dest_gpu: int | str
    """The thief's device_id."""
    file_name: str
    host: str


class SourceCounts(TypedDict):
    """What is known of the events of one source: received + lost = published, always."""

    host: str
    source: str
    epoch: int
    """Which start of the source; a greater one is a later one."""
    published: int
    """Events that the source is known to have published (the highest sequence number of its stream)."""
    received: int
    lost: int


class FailedAttempt(TypedDict):
    """An attempt at a file that came to nothing."""

    attempt: int
    """Its number, from 1; 0 where nobody counts."""
    device: str
    """The device's key."""
    reason: str


class FileRecord(TypedDict):
    """A completed file, and what its GPU did meanwhile: unknown where nobody looked at the GPU then."""

    file: str
    device: str
    """The key of the device that did it."""
    device_id: int | str
    """What that device is called."""
    host: str
    attempt: int
    """Which attempt at the file it was, from 1; 0 where nobody counts."""
    ended: float
    """Wall-clock time, seconds since 1970."""
    duration_seconds: float
    sequences: int
    compute_percent: float | None
    """Mean of the looks while the file was worked on; where there was none, of those just before and after."""
    memory_peak_bytes: int | None
    """The most memory in use at any of these looks, whoever used it."""
    energy_joules: float | None
    """What the GPU has used from the file's start to its end; None where its counter was not told all the time (up
    to a second at either end is made good by what was told beside it), or has gone back."""
    simulated: bool | None
    """Whether the figures are made up; None where nobody has looked at the device."""


class Totals(TypedDict):
    """The run as a whole."""

    files_total: int | None
    """None when no plan was published (workers without a coordinator)."""
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
    """A steal, and what came of it."""

    saved_seconds: float | None
    """How much sooner both were done because of this one steal; less than 0 when later, None when unknown."""


class Effect(TypedDict):
    """What stealing has done for a run; see effect.py. Times count from the start of the first file."""

    makespan_seconds: float | None
    """Until now, or until the last file was done."""
    makespan_expected_seconds: float | None
    """Until the last file will be done; the same as above when it is."""
    makespan_without_stealing_seconds: float | None
    """Until the last file would be done if every device worked off the files that it was first given."""
    lower_bound_seconds: float | None
    """No way of sharing out the files could be faster than that."""
    above_bound_percent: float | None
    """How much the expected makespan is above the lower bound."""
    saved_seconds: float | None
    """What stealing has saved in all: without it, less what is expected."""
    tail_seconds: float | None
    """From the first device that had nothing more to do until the end, or until now."""
    jain_index: float | None
    """How even the devices' busy times are: 1 for all alike, 1/n where one of n did everything."""
    max_over_mean_finish: float | None
    """The last device's finish as a multiple of the mean finish."""
    idle_seconds: dict[str, float]
    """By device key: how long it had no file in hand."""
    busy_seconds: dict[str, float]
    """By device key: how long it had one."""
    finish_seconds: dict[str, float]
    """By device key: when it last had one."""
    moves: int
    """Stolen files that the thief has done, or has in hand."""
    steals: list[StealEffect]
    """The last 1,000 of them, oldest first."""


STALE_AFTER_SECONDS = 3.0
"""A sample of a GPU that is older is stale: its figures are unknown."""

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
}


class SampledFigures(Protocol):
    """What one sample of a GPU holds; every field may be unknown (None) on its own."""

    @property
    def memory_percent(self) -> float | None: ...
    @property
    def temperature_celsius(self) -> float | None: ...
    @property
    def power_watts(self) -> float | None: ...
    @property
    def energy_millijoules(self) -> int | None: ...
    @property
    def simulated(self) -> bool: ...
    @property
    def lost(self) -> bool: ...


def is_stale(utilization: GpuUtilization) -> bool:
    """Whether the last sample is older than STALE_AFTER_SECONDS. False when there never was one."""
    age_seconds = utilization["sample_age_seconds"]
    return age_seconds is not None and age_seconds > STALE_AFTER_SECONDS


def make_utilization(
    sample: SampledFigures, mean_percent: float | None, max_percent: float | None, age_seconds: float
) -> GpuUtilization:
    """The figures of a GPU by its last sample, with mean and maximum load over the caller's interval.

    Of a stale sample only the age is known, whether it is simulated, and whether the GPU is lost.
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
    """Where work figures come from. Safe to call from any thread."""

    def get_gpu_metrics(self) -> list[GpuMetrics]:
        """One row a device, in a stable order."""
        ...

    def get_recent_steal_events(self) -> list[StealEvent]:
        """The last 50 steals, oldest first."""
        ...

    def get_totals(self) -> Totals:
        """The run as a whole."""
        ...


class UtilizationSource(Protocol):
    """Where GPU figures come from. Safe to call from any thread; never blocks on a driver for long."""

    def get_gpu_utilization(self, device_id: int | str) -> GpuUtilization:
        """Figures of a GPU by NVML index or UUID; every field None for a device that nobody knows."""
        ...


def sum_totals(each: Sequence[Totals]) -> Totals:
    """Several parts of a run, or several runs, as a whole. Files are planned where any part knows of a plan."""
    planned = [total for totals in each if (total := totals["files_total"]) is not None]
    return Totals(
        files_total=sum(planned) if planned else None,
        files_completed=sum(totals["files_completed"] for totals in each),
        files_failed=sum(totals["files_failed"] for totals in each),
        sequences=sum(totals["sequences"] for totals in each),
        steals=sum(totals["steals"] for totals in each),
        events_published=sum(totals["events_published"] for totals in each),
        events_received=sum(totals["events_received"] for totals in each),
        events_lost=sum(totals["events_lost"] for totals in each),
    )


def latest_files(files: Iterable[FileRecord]) -> list[FileRecord]:
    """The last 100 of all these files, oldest first, and by host where the time is the same."""
    return sorted(files, key=itemgetter("ended", "host"))[-100:]


def latest_steals(steals: Iterable[StealEvent]) -> list[StealEvent]:
    """The last 50 of all these steals, oldest first, and by host where the time is the same."""
    return sorted(steals, key=itemgetter("timestamp", "host"))[-50:]
