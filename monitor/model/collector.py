"""Asks the sources of a dashboard, and combines their answers into one ViewModel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.model.answers import device_works, gpu_utilization, recent_steals, run_totals
from monitor.model.history import HistoryKeeper
from monitor.model.sources import GpuSource, RunDetails, WorkSource, run_details, utilization_details
from monitor.model.trends import SAMPLES_KEPT, TrendKeeper
from monitor.model.view_model import NOTICE, ViewModel
from virnucpro_bus.clock import NANOSECONDS, Clock, local_time_of_day
from virnucpro_bus.health.problems import Problem, problems
from virnucpro_bus.health.remaining import remaining_range, remaining_seconds
from virnucpro_bus.health.rows import DeviceWork, Row, RunTotals
from virnucpro_bus.metrics import GpuUtilization
from virnucpro_bus.samples.joint_figures import joint_utilization

FAILURE_CHARACTERS = 160
"""Longer texts of exceptions are cut."""

_NO_TOTALS: RunTotals = {
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
    """Return what is shown before the sources have answered."""
    return ViewModel((), _NO_TOTALS, (), now_ns, title=title)


class Failures:
    """Counts exceptions that must not end the dashboard, and keeps the latest."""

    def __init__(self) -> None:
        self._count = 0
        self._latest = ""

    def add(self, error: Exception) -> None:
        """Count `error`."""
        self._count += 1
        self._latest = f"{type(error).__name__}: {error}"[:FAILURE_CHARACTERS]

    def problems(self) -> tuple[Problem, ...]:
        """Return one problem; none without a failure."""
        text = f"dashboard: {self._count} failure{'' if self._count == 1 else 's'}, the latest: {self._latest}"
        return (Problem(text),) if self._count else ()


class Collector:
    """Asks two sources for their state, in the way that each of them supports. One thread at a time.

    What a source does not know is unknown, and so is what it cannot answer: why, is counted in `failures`.
    """

    def __init__(
        self,
        coordinator: WorkSource,
        gpu_monitor: GpuSource,
        clock: Clock,
        failures: Failures,
        interval_seconds: float = 2.0,
        trend_samples: int = SAMPLES_KEPT,
    ) -> None:
        """`failures` counts what a source cannot answer. `collect` will be called every `interval_seconds`."""
        self._coordinator = coordinator
        self._gpu_monitor = gpu_monitor
        self._gpu_details = utilization_details(gpu_monitor, failures.add)
        self._clock = clock
        self._failures = failures
        self._interval_seconds = interval_seconds
        self._trends = TrendKeeper(trend_samples)
        self._history = HistoryKeeper()
        self._notices: set[tuple[int, str]] = set()
        """Those of the previous `collect`."""
        self._gpu_details.set_display_interval(interval_seconds)

    def collect(self, title: str, since_start_seconds: float | None, *, with_files: bool = False) -> ViewModel:
        """Return the state of both sources at one moment. Raises what the coordinator raises.

        `since_start_seconds` is the run's time when the source does not know it; None: unknown. `with_files`: also
        the last completed files.
        """
        details = run_details(self._coordinator, since_start_seconds, self._failures.add)
        with details.frozen():
            model = self._collect(title, details)
            return replace(model, files=tuple(details.files())) if with_files else model

    def _collect(self, title: str, details: RunDetails) -> ViewModel:
        works = device_works(self._coordinator.get_gpu_metrics(), self._failures.add)
        known = self._gpu_details.get_utilizations_of(works)
        if known is None or len(known) != len(works):
            known = [self._ask_gpu(work) for work in works]
        figures = [gpu_utilization(answer, self._failures.add) for answer in known]
        rows = tuple(map(_row, works, figures))
        totals = run_totals(details.get_totals(), works, self._failures.add)
        elapsed, effect, is_over = details.elapsed_seconds(), details.get_effect(), details.finished
        draining = None if is_over else details.draining_reason
        will_finish = not is_over and draining is None
        failures = details.failures()
        attempts = details.attempts() if failures else None
        notices, news = self._notices_and_news(details)
        # A replay is right at any speed only by the run's own time.
        at_seconds = self._clock.mono_ns() / NANOSECONDS if elapsed is None else elapsed
        warnings = [Problem(text) for text in details.stream_warnings()]
        return ViewModel(
            rows=rows,
            totals=totals,
            steals=recent_steals(details.get_recent_steal_events(), self._failures.add),
            now_ns=self._clock.wall_ns(),
            elapsed_seconds=elapsed,
            eta_seconds=remaining_seconds(totals, elapsed, effect) if will_finish else None,
            eta_range=remaining_range(effect) if will_finish else None,
            draining_reason=draining,
            is_over=is_over,
            health=(*problems(rows, totals, details.lossy_sources(), failures, attempts), *notices, *warnings),
            news=news,
            failures=failures,
            title=title,
            load_seconds=self._interval_seconds,
            effect=effect,
            trends=self._trends.add(rows, at_seconds),
            history=self._history.add(rows, at_seconds),
        )

    def _ask_gpu(self, work: DeviceWork) -> object:
        """Return what a source that knows its GPUs by UUID and index alone answers for a device; None: nothing."""
        device_id = work["uuid"] or work["device_id"]
        names: Sequence[int | str] = work["gpus"] or ([] if device_id is None else [device_id])
        try:
            answers = [self._gpu_monitor.get_gpu_utilization(name) for name in names]
            if len(answers) <= 1:
                return answers[0] if answers else None
            return joint_utilization([gpu_utilization(answer, self._failures.add) for answer in answers])
        except Exception as error:  # one GPU that cannot be read must not hide the others
            self._failures.add(error)
            return None

    def _notices_and_news(self, details: RunDetails) -> tuple[list[Problem], tuple[str, ...]]:
        """Return the run's notices, the latest first; and those that are new since the previous call."""
        notices = details.notices()
        lines = [(notice, f"{local_time_of_day(notice[0])} {notice[1]}") for notice in reversed(notices)]
        news = tuple(text for notice, text in lines if notice not in self._notices)
        self._notices = set(notices)
        return [Problem(text, kind=NOTICE) for _, text in lines], news


def _row(work: DeviceWork, utilization: GpuUtilization) -> Row:
    """A coordinator in this process does not know that the driver has lost a GPU; a fleet does."""
    return ({**work, "state": "lost"} if utilization["lost"] else work), utilization
