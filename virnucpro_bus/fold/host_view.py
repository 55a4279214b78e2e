"""One host as a viewer sees it: its fold, its clocks compared with the viewer's, and its times by the latter."""

from __future__ import annotations

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.effect.totals import TotalsCache
from virnucpro_bus.events.host_time import NEVER_COMPARED, TimeOfDay, by_own_clock
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.fold.report import announced_run, failed_files, run_report
from virnucpro_bus.metrics import Effect, FileRecord, GpuMetrics, StealEvent
from virnucpro_bus.run_reports import AnnouncedRun, FailedFile, RunReport
from virnucpro_bus.units import duration

MIN_SKEW_SECONDS = 2
"""Wall clocks that differ by less count as equal: delivery takes time, too."""


class HostView:
    """A host's fold, read with the viewer's clock. Not thread-safe.

    Rates and states are by the host's monotonic clock, times of day by the viewer's wall clock.
    """

    def __init__(self, fold: HostFold, clock: Clock, *, is_local: bool = False) -> None:
        """`clock` is that of the times of receipt. `is_local`: it reads the clocks of this host."""
        self.fold = fold
        self._clock = clock
        self._is_local = is_local
        self._totals_cache = TotalsCache()
        self.last_effect: Effect | None = None
        """The effect of stealing on a run that is over; None: to be computed."""

    def now_ns(self) -> int:
        """Now on the host's axis of time; the time of its last event if the clocks were never compared."""
        offset_ns = self._offset_ns()
        now_ns = self.fold.last_ns if offset_ns is None else self._clock.mono_ns() - offset_ns
        return self.fold.at(max(now_ns, self.fold.last_ns))

    def _offset_ns(self) -> int | None:
        """The monotonic time of `clock` minus that on the axis; None if it is unknown."""
        if self._is_local:
            return -self.fold.base_ns
        return None if self.fold.offset_ns == NEVER_COMPARED else self.fold.offset_ns

    def _time_of_day(self) -> TimeOfDay:
        """How times of day are shown: by the viewer's wall clock, as far as the clocks were compared.

        Corrected by whole seconds, so that what is shown is steady; not at all if the wall clocks agree.
        """
        offset_ns = self._offset_ns()
        if offset_ns is None:
            return by_own_clock
        zero_ns = self._clock.wall_ns() - self._clock.mono_ns() + offset_ns

        def viewer_time(wall_ns: int, at_ns: int) -> int:
            seconds = round((zero_ns + at_ns - wall_ns) / NANOSECONDS)
            return max(0, wall_ns + seconds * NANOSECONDS) if abs(seconds) >= MIN_SKEW_SECONDS else wall_ns

        return viewer_time

    # Figures, with times of day by the viewer's wall clock.

    def metrics(self) -> list[GpuMetrics]:
        """One row per device."""
        makespan_seconds = self.effect()["makespan_seconds"] if self.fold.is_over else None
        return self.fold.metrics(self.now_ns(), self._time_of_day(), makespan_seconds)

    def run(self) -> AnnouncedRun | None:
        """Its run; None if none was announced."""
        return announced_run(self.fold, self.now_ns(), self._time_of_day())

    def run_report(self, effect: Effect | None) -> RunReport | None:
        """Its run with its progress, on which that is the effect of stealing; None if none was announced."""
        run = self.run()
        return None if run is None else run_report(run, self.fold.totals(), effect, self._clock.wall_ns())

    def failed_files(self) -> list[FailedFile]:
        """The last 100 files that failed for good, oldest first."""
        return failed_files(self.fold, self._time_of_day())

    def steals(self) -> list[StealEvent]:
        """The last 50 steals, oldest first."""
        return self.fold.steals(self._time_of_day())

    def files(self) -> list[FileRecord]:
        """The last 100 completed files, oldest first."""
        return self.fold.files(self._time_of_day())

    def effect(self) -> Effect:
        """The effect of stealing on its run."""
        if self.last_effect is not None:
            return self.last_effect
        return self.fold.effect(self.now_ns(), self._totals_cache, self._time_of_day())

    def notices(self) -> list[tuple[int, str]]:
        """The last 10 notices of this session, oldest first: (wall-clock time in nanoseconds, text)."""
        return self.fold.notices(self._time_of_day())

    def runs_warning(self) -> str | None:
        """One line if the host's workers name several runs; None if they do not."""
        runs = self.fold.worker_runs
        if len(runs) < 2:
            return None
        return (
            f"workers of {self.fold.host} name several runs ({', '.join(runs)}), and their figures are added up; "
            "start a hub for each run"
        )

    def clock_warning(self) -> str | None:
        """One line if the host's wall clock differs from the viewer's; None if it does not, or that is unknown."""
        at_ns, wall_ns = self.fold.newest_times
        skew_seconds = (self._time_of_day()(wall_ns, at_ns) - wall_ns) // NANOSECONDS
        if self._is_local or not wall_ns or not skew_seconds:
            return None
        difference = f"{duration(abs(skew_seconds))} {'behind' if skew_seconds > 0 else 'ahead of'}"
        return (
            f"the clock of {self.fold.host} is {difference} this machine's; "
            "times are shown by this machine's clock"
        )
