"""Several buses read as one fleet.

Each bus keeps its own fold: two buses on one host are two runs, whose events must not be mixed. Here only their
figures are combined, so that `LoadBalancingDashboard(fleets, fleets)` shows them all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from operator import itemgetter

from virnucpro_bus.device_keys import index_in
from virnucpro_bus.effect.combine import combine
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.merge import latest_files, latest_steals, sum_totals
from virnucpro_bus.fold.report import FleetReport, make_report
from virnucpro_bus.fold.row_figures import figures_of_device, figures_of_rows
from virnucpro_bus.metrics import (
    UNKNOWN_UTILIZATION,
    Effect,
    FailedAttempt,
    FileRecord,
    GpuMetrics,
    GpuMetricsOfRun,
    GpuUtilization,
    SourceCounts,
    StealEvent,
    Totals,
)
from virnucpro_bus.run_reports import AnnouncedRun


class FleetGroup:
    """The fleets of several buses, read like a single one. Safe to read from any thread."""

    def __init__(self, fleets: Mapping[str, FleetState], bus_errors: Callable[[], list[str]] = list) -> None:
        """`fleets` by the names of their buses. `bus_errors` returns what is wrong with the buses, one line each.

        It is called from any thread.
        """
        self._fleets = dict(fleets)
        self._bus_errors = bus_errors
        self._lock = threading.RLock()

    def show(self, fleets: Mapping[str, FleetState]) -> None:
        """Replace the fleets, but not while another thread reads in `frozen`. For any thread."""
        with self._lock:
            self._fleets = dict(fleets)

    # MetricsSource and UtilizationSource.

    def get_gpu_metrics(self) -> list[GpuMetrics]:
        """One row per device and bus, by host, then index."""
        rows: list[GpuMetrics] = []
        for name, fleet in self._fleets.items():
            of_bus = fleet.get_gpu_metrics()
            # Two runs on one host may have devices of the same name.
            rows += [GpuMetricsOfRun(**row, run=name) for row in of_bus] if len(self._fleets) > 1 else of_bus
        return sorted(rows, key=_by_host)

    def runs(self) -> list[AnnouncedRun]:
        """The announced runs of all buses, by host."""
        several = len(self._fleets) > 1
        runs = [
            AnnouncedRun({**run, "run": name}) if several else run
            for name, fleet in self._fleets.items()
            for run in fleet.runs()
        ]
        return sorted(runs, key=itemgetter("host"))

    def fleets(self) -> Mapping[str, FleetState]:
        """The fleet of each bus, by the `run` of its rows."""
        several = len(self._fleets) > 1
        return {name if several else "": fleet for name, fleet in self._fleets.items()}

    def get_recent_steal_events(self) -> list[StealEvent]:
        """The last 50 steals, oldest first."""
        return latest_steals(fleet.get_recent_steal_events() for fleet in self._fleets.values())

    def get_totals(self) -> Totals:
        """The totals of all buses."""
        return sum_totals([fleet.get_totals() for fleet in self._fleets.values()])

    def get_gpu_utilization(self, device_id: int | str) -> GpuUtilization:
        """As `FleetState.get_gpu_utilization`; by index only if one bus has it."""
        return figures_of_device(device_id, self.get_gpu_utilizations())

    # More than the two protocols.

    def get_gpu_utilizations(self) -> dict[int | str, GpuUtilization]:
        """What `get_gpu_utilization` returns for every UUID and index."""
        found: dict[int | str, list[GpuUtilization]] = {}
        for fleet in self._fleets.values():
            for device_id, utilization in fleet.get_gpu_utilizations().items():
                found.setdefault(device_id, []).append(utilization)
        return {device_id: _chosen(device_id, answers) for device_id, answers in found.items()}

    def get_utilizations_of(self, rows: Sequence[GpuMetrics]) -> list[GpuUtilization]:
        """The figures of the GPU of each row: that of its run and host; see figures_of_rows."""
        several = len(self._fleets) > 1
        known = {name if several else "": fleet.utilizations_by_host() for name, fleet in self._fleets.items()}
        return figures_of_rows(rows, known)

    def get_effect(self) -> Effect:
        """The effect of stealing on the runs of all buses, combined."""
        return combine([effect for fleet in self._fleets.values() for effect in fleet.get_effects()])

    def elapsed_seconds(self) -> float | None:
        """Seconds since the first run started; None without a run."""
        times = [fleet.elapsed_seconds() for fleet in self._fleets.values()]
        return max((time for time in times if time is not None), default=None)

    @property
    def finished(self) -> bool:
        """Whether the runs of all buses are over."""
        return bool(self._fleets) and all(fleet.finished for fleet in self._fleets.values())

    @property
    def draining_reason(self) -> str | None:
        """Why the runs that are not over hand out no more files; None if one does, or there is none."""
        reasons = [fleet.draining_reason for fleet in self._fleets.values() if not fleet.finished]
        return reasons[0] if all(reasons) and reasons else None

    def notices(self) -> list[tuple[int, str]]:
        """The notices for users, oldest first: (wall-clock time in nanoseconds, text)."""
        return sorted(notice for fleet in self._fleets.values() for notice in fleet.notices())

    def stream_warnings(self) -> list[str]:
        """Warnings about the buses and their streams, one line each, with the bus's name if there are several."""
        several = len(self._fleets) > 1
        return self._bus_errors() + [
            f"{name}: {warning}" if several else warning
            for name, fleet in self._fleets.items()
            for warning in fleet.stream_warnings()
        ]

    def files(self) -> list[FileRecord]:
        """The last 100 completed files of all buses, oldest first."""
        return latest_files(fleet.files() for fleet in self._fleets.values())

    def failures(self) -> dict[str, str]:
        """The reasons of files that failed for good, by file."""
        return {file: reason for fleet in self._fleets.values() for file, reason in fleet.failures().items()}

    def attempts(self) -> dict[str, list[FailedAttempt]]:
        """The failed attempts, by file."""
        return {file: attempts for fleet in self._fleets.values() for file, attempts in fleet.attempts().items()}

    def lossy_sources(self) -> list[SourceCounts]:
        """The sources with lost events, by host, source and epoch."""
        sources = [source for fleet in self._fleets.values() for source in fleet.lossy_sources()]
        return sorted(sources, key=itemgetter("host", "source", "epoch"))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """A context in which no other thread changes the fleets: all that is read in it is of one moment."""
        with self._lock, ExitStack() as held:
            for fleet in self._fleets.values():
                held.enter_context(fleet.frozen())
            yield

    def report(self) -> FleetReport:
        """The `--json` object."""
        return make_report(self)


def _chosen(device_id: int | str, answers: Iterable[GpuUtilization]) -> GpuUtilization:
    """Of what several buses report of a GPU, the youngest sample; unknown for an index that several have."""
    known = [(age, answer) for answer in answers if (age := answer["sample_age_seconds"]) is not None]
    # Two samplers on one host report the same GPU by UUID, but index 0 of two hosts is two GPUs.
    if known and (len(known) == 1 or isinstance(device_id, str)):
        return min(known, key=itemgetter(0))[1]
    return UNKNOWN_UTILIZATION.copy()


def _by_host(row: GpuMetrics) -> tuple[str, float]:
    """Sort key as in one fleet: by host, then index; devices without an index come last."""
    index = index_in(row["device_id"])
    return row["host"], float("inf") if index is None else index
