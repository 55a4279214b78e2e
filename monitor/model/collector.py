"""Asks the sources of a dashboard, and puts what they say together as one look at the run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from monitor.model.health import problems
from monitor.model.trends import TrendKeeper
from monitor.model.view_model import NOTICE, Problem, Row, ViewModel, remaining_seconds
from virnucpro_bus.clock import NANOSECONDS, Clock, local_time_of_day
from virnucpro_bus.metrics import (
    UNKNOWN_UTILIZATION,
    Effect,
    FailedAttempt,
    GpuMetrics,
    GpuUtilization,
    MetricsSource,
    SourceCounts,
    Totals,
    UtilizationSource,
)

FAILURE_CHARACTERS = 160

_NOTHING_YET: Totals = {
    "files_total": None,
    "files_completed": 0,
    "files_failed": 0,
    "sequences": 0,
    "steals": 0,
    "events_published": 0,
    "events_received": 0,
    "events_lost": 0,
}


def nothing_yet(now_ns: int, title: str) -> ViewModel:
    """What is shown before the first look."""
    return ViewModel((), _NOTHING_YET, (), now_ns, title=title)


class Failures:
    """How often something went wrong that must not end the dashboard, and what it was the last time."""

    def __init__(self) -> None:
        self._count = 0
        self._last = ""

    def add(self, error: Exception) -> None:
        """One more."""
        self._count += 1
        self._last = f"{type(error).__name__}: {error}"[:FAILURE_CHARACTERS]

    def problems(self) -> tuple[Problem, ...]:
        """A line of health; none when there was no failure."""
        text = f"dashboard: {self._count} failures, the last: {self._last}"
        return (Problem(text),) if self._count else ()


class Collector:
    """The two sources. One thread at a time.

    What a source may tell beyond its protocol (the run's own time, notices, the effect of stealing) is asked of
    those that can: a fleet can, a coordinator in this process tells some of it. A GPU monitor in this process is
    told over how long the load is wanted; a fleet knows.
    """

    def __init__(
        self,
        coordinator: MetricsSource,
        gpu_monitor: UtilizationSource,
        clock: Clock,
        failures: Failures,
        interval_seconds: float = 2.0,
    ) -> None:
        """`failures` are told of GPUs that cannot be read. A look is to come every `interval_seconds`."""
        self._coordinator = coordinator
        self._gpu_monitor = gpu_monitor
        self._clock = clock
        self._failures = failures
        self._trends = TrendKeeper()
        tell_interval: Callable[[float], None] | None = getattr(gpu_monitor, "set_display_interval", None)
        if tell_interval is not None:
            tell_interval(interval_seconds)
        self._notices: set[tuple[int, str]] = set()
        """Those of the last look."""

    def collect(self, title: str, since_start_seconds: float | None) -> ViewModel:
        """One consistent look at both sources. Raises what the coordinator raises.

        `since_start_seconds` is taken for the time of the run where the source does not know it; None: unknown.
        """
        at_once: Callable[[], AbstractContextManager[object]]
        at_once = getattr(self._coordinator, "frozen", nullcontext)
        with at_once():
            return self._look(title, since_start_seconds)

    def _look(self, title: str, since_start_seconds: float | None) -> ViewModel:
        devices = self._coordinator.get_gpu_metrics()
        tell_all: Callable[[], dict[str, GpuUtilization]] | None
        tell_all = getattr(self._gpu_monitor, "get_gpu_utilizations", None)
        by_uuid = None if tell_all is None else tell_all()
        rows = tuple(_row(metrics, self._utilization(metrics, by_uuid)) for metrics in devices)
        totals = self._coordinator.get_totals()
        own: Callable[[], float | None] | None = getattr(self._coordinator, "elapsed_seconds", None)
        # A replay is right at any speed by the run's own time alone.
        elapsed = since_start_seconds if own is None else own()
        effect, is_over = self._effect(), bool(getattr(self._coordinator, "finished", False))
        failures, attempts = self._failed_files()
        notices, news = self._told()
        trouble = problems(rows, totals, self._lossy_sources(), failures, attempts)
        return ViewModel(
            rows=rows,
            totals=totals,
            steals=tuple(self._coordinator.get_recent_steal_events()),
            now_ns=self._clock.wall_ns(),
            elapsed_seconds=elapsed,
            eta_seconds=None if is_over else remaining_seconds(totals, elapsed, effect),
            is_over=is_over,
            health=(*trouble, *notices, *self._remarks()),
            news=news,
            title=title,
            effect=effect,
            trends=self._trends.add(rows, self._clock.mono_ns() / NANOSECONDS if elapsed is None else elapsed),
        )

    def _utilization(self, metrics: GpuMetrics, by_uuid: dict[str, GpuUtilization] | None) -> GpuUtilization:
        """From `by_uuid` where the source tells of all GPUs together."""
        device_id = metrics["uuid"] or metrics["device_id"]
        if by_uuid is not None and isinstance(device_id, str):
            return by_uuid.get(device_id, UNKNOWN_UTILIZATION)
        try:
            # A user's own source may tell less than ours.
            return {**UNKNOWN_UTILIZATION, **self._gpu_monitor.get_gpu_utilization(device_id)}
        except Exception as error:  # one GPU that cannot be read must not hide the others
            self._failures.add(error)
            return UNKNOWN_UTILIZATION

    def _told(self) -> tuple[list[Problem], tuple[str, ...]]:
        """What the run itself has to say, the latest first; and what of it is new since the last look."""
        notices: list[tuple[int, str]] = getattr(self._coordinator, "notices", list)()
        lines = [(notice, f"{local_time_of_day(notice[0])} {notice[1]}") for notice in reversed(notices)]
        news = tuple(text for notice, text in lines if notice not in self._notices)
        self._notices = set(notices)
        return [Problem(text, kind=NOTICE) for _, text in lines], news

    def _remarks(self) -> list[Problem]:
        """What the source has to say of itself."""
        remarks: list[str] = getattr(self._coordinator, "stream_warnings", list)()
        return [Problem(text) for text in remarks]

    def _lossy_sources(self) -> list[SourceCounts]:
        lossy: list[SourceCounts] = getattr(self._coordinator, "lossy_sources", list)()
        return lossy

    def _failed_files(self) -> tuple[dict[str, str], dict[str, list[FailedAttempt]] | None]:
        """Why files failed for good, and the attempts at them; None where nobody tells of these."""
        failures: dict[str, str] = getattr(self._coordinator, "failures", dict)()
        attempts: Callable[[], dict[str, list[FailedAttempt]]] | None
        attempts = getattr(self._coordinator, "attempts", None)
        return failures, None if attempts is None or not failures else attempts()

    def _effect(self) -> Effect | None:
        tell: Callable[[], Effect] | None = getattr(self._coordinator, "get_effect", None)
        return None if tell is None else tell()


def _row(metrics: GpuMetrics, utilization: GpuUtilization) -> Row:
    """A coordinator in this process does not know what the driver says; a fleet does already."""
    return ({**metrics, "state": "lost"} if utilization["lost"] else metrics), utilization
