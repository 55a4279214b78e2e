"""What a viewer is shown, and the two protocols by which it asks for it.

`MetricsSource` is spoken by the coordinator (in its own process) and by the fleet fold (over the bus or from a
capture); `UtilizationSource` by the GPU monitor (this machine) and by the fleet fold. So one dashboard serves
`LoadBalancingDashboard(coordinator, GPUMonitor())` as well as `LoadBalancingDashboard(fleet, fleet)`.

None always means unknown: shown as n/a, an empty cell in a log, null in JSON; never 0.
"""

from __future__ import annotations

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


class GpuUtilization(TypedDict):
    """What the driver says of one GPU. Every field may be unknown on its own."""

    compute_percent: float | None
    memory_percent: float | None
    temperature: float | None
    """Degrees Celsius."""
    power_watts: float | None


class StealEvent(TypedDict):
    """One file that moved from one device's queue to another device."""

    timestamp: float
    """Wall-clock time of the decision, seconds since 1970."""
    source_gpu: int | str
    """The victim's device_id."""
    dest_gpu: int | str
    """The thief's device_id."""
    file_name: str


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


UNKNOWN_UTILIZATION: GpuUtilization = {
    "compute_percent": None,
    "memory_percent": None,
    "temperature": None,
    "power_watts": None,
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
