"""Several buses seen as one fleet.

Each keeps a fold of its own: two buses on one host tell of two runs, whose accounts must not be mixed. Here they
are only put together, so `LoadBalancingDashboard(fleets, fleets)` shows them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from operator import itemgetter

from virnucpro_bus.devices import device_of
from virnucpro_bus.effect.combine import combine
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.merge import latest_files, latest_steals, sum_totals
from virnucpro_bus.fold.report import FleetReport, make_report
from virnucpro_bus.metrics import (
    UNKNOWN_UTILIZATION,
    Effect,
    FailedAttempt,
    FileRecord,
    GpuMetrics,
    GpuUtilization,
    SourceCounts,
    StealEvent,
    Totals,
)


class FleetGroup:
    """Asks as many fleets as there are buses, and answers as one would. Safe to read from any thread."""

    def __init__(self, fleets: Mapping[str, FleetState], troubles: Callable[[], list[str]] = list) -> None:
        """`fleets` by what their buses are called. `troubles` says what is wrong with the buses, a line each, and
        is asked from any thread."""
        self._fleets = dict(fleets)
        self._troubles = troubles

    # What MetricsSource and UtilizationSource ask.

    def get_gpu_metrics(self) -> list[GpuMetrics]:
        """One row a device, by host, then index; a device on which two buses work has two."""
        return sorted((row for fleet in self._fleets.values() for row in fleet.get_gpu_metrics()), key=_by_host)

    def get_recent_steal_events(self) -> list[StealEvent]:
        """The last 50 steals, oldest first."""
        return latest_steals(steal for fleet in self._fleets.values() for steal in fleet.get_recent_steal_events())

    def get_totals(self) -> Totals:
        """All buses together."""
        return sum_totals([fleet.get_totals() for fleet in self._fleets.values()])

    def get_gpu_utilization(self, device_id: int | str) -> GpuUtilization:
        """The last sample of a GPU by UUID, or by index where one bus alone has it; stale samples are unknown."""
        each = [fleet.get_gpu_utilization(device_id) for fleet in self._fleets.values()]
        known = [
            (age, utilization) for utilization in each if (age := utilization["sample_age_seconds"]) is not None
        ]
        # Two samplers on one host tell of the same GPU, but GPU 0 of two hosts are two.
        if known and (len(known) == 1 or isinstance(device_id, str)):
            return min(known, key=itemgetter(0))[1]
        return UNKNOWN_UTILIZATION.copy()

    # What only those ask who know that it is a fleet.

    def get_gpu_utilizations(self) -> dict[str, GpuUtilization]:
        """As `get_gpu_utilization`, of every GPU at once, by UUID."""
        found: dict[str, GpuUtilization] = {}
        for fleet in self._fleets.values():
            for key, utilization in fleet.get_gpu_utilizations().items():
                if _age_seconds(utilization) < _age_seconds(found.get(key, UNKNOWN_UTILIZATION)):
                    found[key] = utilization
        return found

    def get_effect(self) -> Effect:
        """What stealing has done for the runs of all buses, as a whole."""
        return combine([effect for fleet in self._fleets.values() for effect in fleet.get_effects()])

    def elapsed_seconds(self) -> float | None:
        """Time since the first run started; None where there is none."""
        times = [fleet.elapsed_seconds() for fleet in self._fleets.values()]
        return max((time for time in times if time is not None), default=None)

    @property
    def finished(self) -> bool:
        """Whether the runs of all buses are over."""
        return bool(self._fleets) and all(fleet.finished for fleet in self._fleets.values())

    def notices(self) -> list[tuple[int, str]]:
        """What users should know, oldest first: (wall-clock time in nanoseconds, text)."""
        return sorted(notice for fleet in self._fleets.values() for notice in fleet.notices())

    def stream_warnings(self) -> list[str]:
        """What is to be said of the buses and their streams, a line each; with the bus where there are several."""
        several = len(self._fleets) > 1
        return self._troubles() + [
            f"{name}: {remark}" if several else remark
            for name, fleet in self._fleets.items()
            for remark in fleet.stream_warnings()
        ]

    def files(self) -> list[FileRecord]:
        """The last 100 completed files of all buses, oldest first."""
        return latest_files(file for fleet in self._fleets.values() for file in fleet.files())

    def failures(self) -> dict[str, str]:
        """Why files failed for good, by file."""
        return {file: reason for fleet in self._fleets.values() for file, reason in fleet.failures().items()}

    def attempts(self) -> dict[str, list[FailedAttempt]]:
        """The attempts that came to nothing, by file."""
        return {file: attempts for fleet in self._fleets.values() for file, attempts in fleet.attempts().items()}

    def lossy_sources(self) -> list[SourceCounts]:
        """The sources of whose events some are lost, by host, source and epoch."""
        sources = [source for fleet in self._fleets.values() for source in fleet.lossy_sources()]
        return sorted(sources, key=itemgetter("host", "source", "epoch"))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """While entered nobody else changes anything: what one thread asks then is all of one moment."""
        with ExitStack() as held:
            for fleet in self._fleets.values():
                held.enter_context(fleet.frozen())
            yield

    def report(self) -> FleetReport:
        """Everything at once, for `--json`."""
        return make_report(self)


def _age_seconds(utilization: GpuUtilization) -> float:
    age_seconds = utilization["sample_age_seconds"]
    return float("inf") if age_seconds is None else age_seconds


def _by_host(row: GpuMetrics) -> tuple[str, float]:
    """Sorts rows by host, then index, as one fleet does; those without an index come last."""
    device_id = row["device_id"]
    index = device_id if isinstance(device_id, int) else device_of(device_id).index
    return row["host"], float("inf") if index is None else index
