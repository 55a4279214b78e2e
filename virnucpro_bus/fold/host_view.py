"""One host as a viewer sees it: its fold, its clocks compared with the viewer's, and its times by the latter."""

from __future__ import annotations

from collections.abc import Sequence

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.effect.totals import TotalsCache
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.metrics import Effect, FileRecord, GpuMetrics, StealEvent
from virnucpro_bus.units import duration

MIN_SKEW_SECONDS = 2
"""Wall clocks that differ by less count as equal: delivery takes time, too."""


class HostView:
    """A host's fold, read with the viewer's clock. Not thread-safe.

    Rates and states are by the host's monotonic clock, times of day by the viewer's wall clock.
    """

    def __init__(self, fold: HostFold, clock: Clock, *, is_local: bool = False) -> None:
        """`clock` is the viewer's. `is_local`: `clock` reads the clocks of this host."""
        self.fold = fold
        self._clock = clock
        self._is_local = is_local
        self._totals_cache = TotalsCache()
        self._offset_ns: int | None = None
        """The viewer's monotonic clock minus the host's: the smallest difference seen, with the least delay."""
        self._live_offset_ns: int | None = None
        """The same, only by events that had just arrived: others may be old, or far from the end of what a replay
        delivers together."""

    def compare_clocks(self, received_ns: int, *, just_now: bool) -> None:
        """Compare the clocks: at `received_ns` of the viewer's monotonic clock the newest event had arrived.

        `just_now`: it arrived at that time.
        """
        # The event was published before it was received, so no difference is smaller than the true one.
        offset_ns = received_ns - self.fold.last_ns
        if self._offset_ns is None or offset_ns < self._offset_ns:
            self._offset_ns = offset_ns
        if just_now and (self._live_offset_ns is None or offset_ns < self._live_offset_ns):
            self._live_offset_ns = offset_ns

    def now_ns(self) -> int:
        """Now by the host's monotonic clock; the time of its last event if the clocks were never compared."""
        if self._is_local:
            now_ns = self._clock.mono_ns()
        elif self._offset_ns is None:
            now_ns = self.fold.last_ns
        else:
            now_ns = self._clock.mono_ns() - self._offset_ns
        return self.fold.at(max(now_ns, self.fold.last_ns))

    def skew_seconds(self) -> int:
        """What to add to the host's wall clock to get the viewer's, in whole seconds so that it is steady.

        0 if both agree, or if it is unknown: events must arrive live, and include a heartbeat.
        """
        host_mono_ns, host_wall_ns = self.fold.last_heartbeat
        if self._is_local or self._live_offset_ns is None or not host_wall_ns:
            return 0
        boot_by_viewer_ns = self._clock.wall_ns() - self._clock.mono_ns() + self._live_offset_ns
        seconds = round((boot_by_viewer_ns - (host_wall_ns - host_mono_ns)) / NANOSECONDS)
        return seconds if abs(seconds) >= MIN_SKEW_SECONDS else 0

    # Figures, with times of day by the viewer's wall clock.

    def metrics(self) -> list[GpuMetrics]:
        """One row per device."""
        rows, skew_seconds = self.fold.metrics(self.now_ns()), self.skew_seconds()
        for row in rows:
            if row["last_update_time"] is not None:
                row["last_update_time"] = max(0.0, row["last_update_time"] + skew_seconds)
        return rows

    def steals(self) -> list[StealEvent]:
        """The last 50 steals, oldest first."""
        steals = self.fold.steals()
        self._convert_times(steals)
        return steals

    def files(self) -> list[FileRecord]:
        """The last 100 completed files, oldest first."""
        files, skew_seconds = self.fold.files(), self.skew_seconds()
        for file in files:
            file["ended"] = max(0.0, file["ended"] + skew_seconds)
        return files

    def effect(self) -> Effect:
        """The effect of stealing on its run."""
        effect = self.fold.effect(self.now_ns(), self._totals_cache)
        self._convert_times(effect["steals"])
        return effect

    def notices(self) -> list[tuple[int, str]]:
        """The last 10 notices for users, oldest first: (wall-clock time in nanoseconds, text)."""
        skew_ns = self.skew_seconds() * NANOSECONDS
        return [(max(0, wall_ns + skew_ns), text) for wall_ns, text in self.fold.notices()]

    def clock_warning(self) -> str | None:
        """One line if the host's wall clock differs from the viewer's; None if it does not, or that is unknown."""
        skew_seconds = self.skew_seconds()
        if not skew_seconds:
            return None
        difference = f"{duration(abs(skew_seconds))} {'behind' if skew_seconds > 0 else 'ahead of'}"
        return (
            f"the clock of {self.fold.host} is {difference} this machine's; "
            "times are shown by this machine's clock"
        )

    def _convert_times(self, steals: Sequence[StealEvent]) -> None:
        skew_seconds = self.skew_seconds()
        for steal in steals:
            steal["timestamp"] = max(0.0, steal["timestamp"] + skew_seconds)
