"""The `--json` object: everything that is known of a fleet at a moment. docs/json.md explains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from operator import itemgetter
from typing import Protocol, TypedDict, cast

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.devices import display_id
from virnucpro_bus.effect.combine import combine
from virnucpro_bus.events.host_time import TimeOfDay
from virnucpro_bus.events.run_events import OWN_POLICY, shard_report
from virnucpro_bus.fold.host_state import HostState
from virnucpro_bus.health.problems import problems
from virnucpro_bus.health.remaining import remaining_seconds
from virnucpro_bus.health.rows import Row, RunTotals
from virnucpro_bus.logs.names import attempt_log
from virnucpro_bus.metrics import (
    Effect,
    FailedAttempt,
    FileRecord,
    GpuMetrics,
    GpuUtilization,
    MetricsSource,
    SourceCounts,
    StealEvent,
    Totals,
)
from virnucpro_bus.run_reports import (
    BROKEN_OFF,
    DRAINING,
    LIVE_STATES,
    LOADING,
    RUNNING,
    AnnouncedRun,
    FailedFile,
    RunReport,
    state_at_end,
)

FAILED_FILES_SHOWN = 100


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
    problems: list[str]
    """What is wrong, a line each, the worst first, as the dashboard shows it; without the notices of the run."""
    failed_files: list[FailedFile]
    """The last 100 files that failed for good, oldest first."""


class Reportable(MetricsSource, Protocol):
    """A source of all that a report contains, such as a fleet."""

    def frozen(self) -> AbstractContextManager[object]:
        """A context in which all that is read is of one moment."""
        ...

    def fleets(self) -> Mapping[str, ReportableBus]:
        """The fleets whose figures are combined here, by the `run` of their rows; of one alone that is ""."""
        ...

    def get_utilizations_of(self, rows: Sequence[GpuMetrics]) -> list[GpuUtilization]:
        """The figures of the GPU of each row, in order; see FleetState."""
        ...

    def lossy_sources(self) -> list[SourceCounts]:
        """The sources with lost events, by host, source and epoch."""
        ...

    def files(self) -> list[FileRecord]:
        """The last 100 completed files, oldest first."""
        ...

    def failures(self) -> dict[str, str]:
        """The reasons of files that failed for good, by file."""
        ...

    def attempts(self) -> dict[str, list[FailedAttempt]]:
        """The failed attempts, by file."""
        ...

    def stream_warnings(self) -> list[str]:
        """What is wrong with the stream of events itself, a line each."""
        ...


class ReportableBus(Reportable, Protocol):
    """The same of one bus."""

    def effects_by_host(self) -> dict[str, Effect]:
        """The effect of stealing on the run of each host."""
        ...

    def run_reports(self, effects: Mapping[str, Effect]) -> list[RunReport]:
        """The announced runs, by host, whose effects these are."""
        ...

    def failed_files(self) -> list[FailedFile]:
        """The last 100 files that failed for good, oldest first."""
        ...


def make_report(fleet: Reportable) -> FleetReport:
    """Make the `--json` object of `fleet`, all of one moment."""
    with fleet.frozen():
        rows, buses = fleet.get_gpu_metrics(), fleet.fleets()
        utilizations, totals, lossy = fleet.get_utilizations_of(rows), fleet.get_totals(), fleet.lossy_sources()
        # Computed once: with thousands of devices it takes longer than all the rest.
        effects = {name: bus.effects_by_host() for name, bus in buses.items()}
        runs = [
            RunReport({**run, "run": name}) if name else run
            for name, bus in buses.items()
            for run in bus.run_reports(effects[name])
        ]
        # Every figure that must be known is one that may be unknown.
        both = cast("list[Row]", list(zip(rows, utilizations, strict=True)))
        found = problems(both, cast("RunTotals", totals), lossy, fleet.failures(), fleet.attempts())
        return FleetReport(
            devices=[{**row, **utilization} for row, utilization in zip(rows, utilizations, strict=True)],
            totals=totals,
            steals=fleet.get_recent_steal_events(),
            sources=lossy,
            effect=combine([effect for by_host in effects.values() for effect in by_host.values()]),
            files=fleet.files(),
            runs=sorted(runs, key=itemgetter("host")),
            problems=[*(problem.text for problem in found), *fleet.stream_warnings()],
            failed_files=latest_failed(file for bus in buses.values() for file in bus.failed_files()),
        )


def latest_failed(files: Iterable[FailedFile]) -> list[FailedFile]:
    """Return the last 100 of `files`, oldest first."""
    return sorted(files, key=itemgetter("failed", "host", "file"))[-FAILED_FILES_SHOWN:]


def announced_run(state: HostState, now_ns: int, time_of_day: TimeOfDay) -> AnnouncedRun | None:
    """The run in its last session, at that time on the axis of its host; None if none was announced."""
    if state.run is None:
        return None
    started_ns = state.started_ns
    return AnnouncedRun(
        run=state.run_name,
        host=state.host,
        job=state.run.job,
        policy=state.run.policy,
        state=_state_of(state),
        exit_code=None if state.finished is None else state.finished.exit_code,
        started=None if started_ns is None else time_of_day(state.started_wall_ns, started_ns) / NANOSECONDS,
        elapsed_seconds=state.elapsed_seconds(now_ns),
        shard=shard_report(state.run.shard),
        id=state.run_name,
        draining_reason=None if state.draining is None else state.draining.reason,
    )


def run_report(run: AnnouncedRun, totals: Totals, effect: Effect | None, wall_ns: int) -> RunReport:
    """Add its progress to a run. `effect` is that on it, `wall_ns` the viewer's time of day."""
    total, settled = totals["files_total"], totals["files_completed"] + totals["files_failed"]
    will_finish = run["state"] in LIVE_STATES - {DRAINING}
    known = cast("RunTotals", totals)
    eta = remaining_seconds(known, run["elapsed_seconds"], effect) if will_finish else None
    return RunReport(
        **run,
        files_total=total,
        files_completed=totals["files_completed"],
        files_failed=totals["files_failed"],
        files_pending=None if total is None else max(0, total - settled),
        eta_seconds=eta,
        expected_end=None if eta is None else wall_ns / NANOSECONDS + eta,
    )


def _state_of(state: HostState) -> str:
    if state.finished is not None:
        return state_at_end(state.finished.exit_code)
    if state.is_broken_off:
        return BROKEN_OFF
    if state.draining is not None:
        return DRAINING
    return LOADING if state.is_loading else RUNNING


def failed_files(state: HostState, time_of_day: TimeOfDay) -> list[FailedFile]:
    """The last 100 files of a host that failed for good, oldest first."""
    failed_at = state.failed_at()
    if not failed_at:
        return []
    identities = state.identities()
    latest = sorted((at, file) for file, at in failed_at.items())[-FAILED_FILES_SHOWN:]
    has_logs = state.run is not None and state.run.policy != OWN_POLICY
    found = []
    for (at_ns, wall_ns), file in latest:
        number, reason = state.failures[file]
        _, key, _ = max(state.attempts.get(file, ()), default=(0, None, ""))
        device = None if key is None else identities.get(key) or state.device(key)
        found.append(
            FailedFile(
                file=file,
                host=state.host,
                device=None if device is None else device.key,
                device_id=None if device is None else display_id(device),
                attempts=number,
                reason=reason,
                log=attempt_log(file, number) if has_logs else None,
                failed=time_of_day(wall_ns, at_ns) / NANOSECONDS,
            )
        )
    return found
