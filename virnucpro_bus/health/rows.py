"""The devices and totals of a run, of which each figure may be unknown; and what devices are called.

`GpuMetrics` and `Totals` are such, with all that they must know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec

from virnucpro_bus.device_keys import device_title
from virnucpro_bus.events.vocabulary import Count, Percent, Seconds
from virnucpro_bus.metrics import GpuUtilization
from virnucpro_bus.text import visible
from virnucpro_bus.units import UNKNOWN

Rate = Annotated[float, msgspec.Meta(ge=0.0, le=1e18)]
Moment = Annotated[float, msgspec.Meta(ge=0.0, le=2.5e11)]
"""Wall-clock time in seconds since 1970, of a year with four digits."""
Qualifier = Literal["host", "run"]
"""What stands before a device's label where the label alone is ambiguous."""


class DeviceWork(TypedDict):
    """The work of one device: `GpuMetrics`, of which each field may be unknown (None or "")."""

    device_id: int | str | None
    device_name: str
    queue_depth: Count | None
    files_completed: Count | None
    work_stolen_from: Count | None
    work_stolen_to: Count | None
    throughput: Rate | None
    last_update_time: Moment | None
    uuid: str | None
    host: str
    sequences: Count | None
    files_failed: Count | None
    state: str | None
    current_file: str | None
    seconds_since_done: Seconds | None
    current_file_percent: Percent | None
    loading_seconds: Seconds | None
    key: str | None
    gpus: list[str] | None
    cpu_percent: Rate | None
    resident_bytes: Count | None
    read_bytes_per_second: Rate | None
    worker: str | None
    run: NotRequired[str]
    """The run folder or address of its run, where several are shown together."""


class RunTotals(TypedDict):
    """The run as a whole: `Totals`, of which each field may be unknown (None)."""

    files_total: Count | None
    files_completed: Count | None
    files_failed: Count | None
    sequences: Count | None
    steals: Count | None
    events_published: Count | None
    events_received: Count | None
    events_lost: Count | None


Row = tuple[DeviceWork, GpuUtilization]
"""One device: its work, and what the driver reports about its GPU."""


def run_of(metrics: DeviceWork) -> str:
    """Return the run of a device where several are shown together, otherwise ""."""
    return str(metrics.get("run", ""))


def device_label(device_id: int | str | None) -> str:
    """Return the name of a device on screen, as `device_title`; n/a for None."""
    return UNKNOWN if device_id is None else device_title(device_id)


def qualifiers(rows: Sequence[Row]) -> tuple[Qualifier, ...]:
    """Return what labels need to be unambiguous: the host if there are several, the run if a host has several."""
    hosts = {metrics["host"] for metrics, _ in rows}
    runs = {(metrics["host"], run_of(metrics)) for metrics, _ in rows}
    needed: tuple[tuple[Qualifier, bool], ...] = (("host", len(hosts) > 1), ("run", len(runs) > len(hosts)))
    return tuple(name for name, is_needed in needed if is_needed)


def qualified_label(metrics: DeviceWork, needed: Sequence[Qualifier]) -> str:
    """Return the label of a device, with the qualifiers that are needed before it."""
    values = {"host": metrics["host"], "run": run_of(metrics)}
    return " ".join([*(visible(values[each]) for each in needed), device_label(metrics["device_id"])])
