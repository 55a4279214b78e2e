"""The `--json` object: everything that is known of a fleet at a moment. docs/json.md explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypedDict

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.host_time import TimeOfDay
from virnucpro_bus.events.run_events import INTERRUPTED, shard_report
from virnucpro_bus.fold.host_state import HostState
from virnucpro_bus.metrics import (
    Effect,
    FileRecord,
    GpuMetrics,
    GpuUtilization,
    MetricsSource,
    RunReport,
    SourceCounts,
    StealEvent,
    Totals,
)


class DeviceReport(GpuMetrics, GpuUtilization):
    """One device in the `--json` object: its work, and what the driver reports of it."""


class FleetReport(TypedDict):
    """The `--json` object of monitor, replay and summary.json."""

    devices: list[DeviceReport]
    totals: Totals
    steals: list[StealEvent]
    sources: list[SourceCounts]
    """The sources with lost events."""
    effect: Effect
    """The effect of stealing on the run."""
    files: list[FileRecord]
    """The last 100 completed files, oldest first."""
    runs: list[RunReport]
    """The announced runs; empty where workers have no launcher."""


class Reportable(MetricsSource, Protocol):
    """A source of all that a report contains, such as a fleet."""

    def frozen(self) -> AbstractContextManager[object]:
        """A context in which all that is read is of one moment."""
        ...

    def runs(self) -> list[RunReport]:
        """The announced runs."""
        ...

    def fleets(self) -> Mapping[str, Reportable]:
        """The fleets whose figures are combined here, by the `run` of their rows; of one alone that is ""."""
        ...

    def get_utilizations_of(self, rows: Sequence[GpuMetrics]) -> list[GpuUtilization]:
        """The figures of the GPU of each row, in order; see FleetState."""
        ...

    def lossy_sources(self) -> list[SourceCounts]:
        """The sources with lost events, by host, source and epoch."""
        ...

    def get_effect(self) -> Effect:
        """The effect of stealing on the run."""
        ...

    def files(self) -> list[FileRecord]:
        """The last 100 completed files, oldest first."""
        ...


def make_report(fleet: Reportable) -> FleetReport:
    """Make the `--json` object of `fleet`, all of one moment."""
    with fleet.frozen():
        rows = fleet.get_gpu_metrics()
        return FleetReport(
            devices=[
                {**row, **utilization}
                for row, utilization in zip(rows, fleet.get_utilizations_of(rows), strict=True)
            ],
            totals=fleet.get_totals(),
            steals=fleet.get_recent_steal_events(),
            sources=fleet.lossy_sources(),
            effect=fleet.get_effect(),
            files=fleet.files(),
            runs=fleet.runs(),
        )


def run_report(state: HostState, now_ns: int, time_of_day: TimeOfDay) -> RunReport | None:
    """The run in its last session, at that time on the axis of its host; None if none was announced."""
    if state.run is None:
        return None
    started_ns = state.started_ns
    return RunReport(
        run=state.run_name,
        host=state.host,
        job=state.run.job,
        policy=state.run.policy,
        state=_state_of(state),
        exit_code=None if state.finished is None else state.finished.exit_code,
        started=None if started_ns is None else time_of_day(state.started_wall_ns, started_ns) / NANOSECONDS,
        elapsed_seconds=state.elapsed_seconds(now_ns),
        shard=shard_report(state.run.shard),
    )


def _state_of(state: HostState) -> str:
    if state.finished is not None:
        return "interrupted" if state.finished.exit_code >= INTERRUPTED else "finished"
    return "broken off" if state.is_broken_off else "running"
