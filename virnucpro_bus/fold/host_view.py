"""One host of a fleet: its fold, how its clocks stand to ours, and its times in ours."""

from __future__ import annotations

from collections.abc import Sequence

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.effect.totals import TotalsCache
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.metrics import Effect, FileRecord, GpuMetrics, StealEvent
from virnucpro_bus.units import duration

LEAST_SKEW_SECONDS = 2
"""Wall clocks that differ by less are taken to agree: a message's way takes time, too."""


class HostView:
    """Rates and states are by the host's monotonic clock, times of day by our wall clock. Not thread-safe."""

    def __init__(self, ledger: HostFold, clock: Clock, *, is_local: bool = False) -> None:
        """`clock` is ours. `is_local`: the host's clocks are those that `clock` reads."""
        self.fold = ledger
        self._clock = clock
        self._is_local = is_local
        self._sums = TotalsCache()
        self._offset_ns: int | None = None
        """Our monotonic clock minus the host's; the least ever seen, which is nearest to no delay at all."""
        self._sure_offset_ns: int | None = None
        """The same, by events alone that came in just then: others may be old, or stand far before the end of what
        a replay hands out together."""

    def compare_clocks(self, received_ns: int, *, just_now: bool) -> None:
        """By `received_ns`, on our monotonic clock, its newest event was there; `just_now`: it came in then."""
        # It was published before, so no difference can be less than the true one.
        offset_ns = received_ns - self.fold.last_ns
        if self._offset_ns is None or offset_ns < self._offset_ns:
            self._offset_ns = offset_ns
        if just_now and (self._sure_offset_ns is None or offset_ns < self._sure_offset_ns):
            self._sure_offset_ns = offset_ns

    def now_ns(self) -> int:
        """Now on the host's monotonic clock; the time of its last event where the clocks were never compared."""
        if self._is_local:
            now_ns = self._clock.mono_ns()
        elif self._offset_ns is None:
            now_ns = self.fold.last_ns
        else:
            now_ns = self._clock.mono_ns() - self._offset_ns
        return self.fold.at(max(now_ns, self.fold.last_ns))

    def skew_seconds(self) -> int:
        """What must be added to the host's wall clock to get ours, in whole seconds so that it stands still.

        0 where both agree, and where it is not known: for that the host must be heard, and send heartbeats.
        """
        beat_mono_ns, beat_wall_ns = self.fold.last_beat
        if self._is_local or self._sure_offset_ns is None or not beat_wall_ns:
            return 0
        ours_ns = self._clock.wall_ns() - self._clock.mono_ns() + self._sure_offset_ns
        seconds = round((ours_ns - (beat_wall_ns - beat_mono_ns)) / NANOSECONDS)
        return seconds if abs(seconds) >= LEAST_SKEW_SECONDS else 0

    # Figures, with times of day in ours.

    def metrics(self) -> list[GpuMetrics]:
        """One row a device."""
        rows, skew_seconds = self.fold.metrics(self.now_ns()), self.skew_seconds()
        for row in rows:
            if row["last_update_time"] is not None:
                row["last_update_time"] = max(0.0, row["last_update_time"] + skew_seconds)
        return rows

    def steals(self) -> list[StealEvent]:
        """The last 50 steals, oldest first."""
        steals = self.fold.steals()
        self._in_our_time(steals)
        return steals

    def files(self) -> list[FileRecord]:
        """The last 100 completions, oldest first."""
        files, skew_seconds = self.fold.files(), self.skew_seconds()
        for file in files:
            file["ended"] = max(0.0, file["ended"] + skew_seconds)
        return files

    def effect(self) -> Effect:
        """What stealing has done for its run."""
        effect = self.fold.effect(self.now_ns(), self._sums)
        self._in_our_time(effect["steals"])
        return effect

    def _in_our_time(self, steals: Sequence[StealEvent]) -> None:
        skew_seconds = self.skew_seconds()
        for steal in steals:
            steal["timestamp"] = max(0.0, steal["timestamp"] + skew_seconds)

    def notices(self) -> list[tuple[int, str]]:
        """The last 10 notices: (wall-clock time in nanoseconds, text)."""
        skew_ns = self.skew_seconds() * NANOSECONDS
        return [(max(0, wall_ns + skew_ns), text) for wall_ns, text in self.fold.notices()]

    def clock_warning(self) -> str | None:
        """One line when the host's wall clock is not ours; None when it is, or that is unknown."""
        skew_seconds = self.skew_seconds()
        if not skew_seconds:
            return None
        how_far = f"{duration(abs(skew_seconds))} {'behind' if skew_seconds > 0 else 'ahead of'}"
        return f"the clock of {self.fold.host} is {how_far} this one's; its times are shown in ours"
