"""How a followed run stands, or has ended: as data, as one line, and as an exit status."""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace
from pathlib import Path

from monitor.attach import FollowedBus
from virnucpro_bus.run_reports import (
    BROKEN_OFF,
    FINISHED,
    INTERRUPTED,
    LIVE_STATES,
    RUNNING,
    AnnouncedRun,
    state_at_end,
)
from virnucpro_bus.text import visible
from virnucpro_bus.units import duration

UNREACHABLE, ENDED = "unreachable", "ended"
"""It can no longer be followed; the hub of workers without a plan has ended."""
EXIT_UNKNOWN = 1
"""The exit status for a run that has none: it was broken off, cannot be reached, or is not over."""


@dataclass(frozen=True)
class Standing:
    """How the run of one bus stands."""

    target: str
    """The run folder or address, as the user has named it."""
    run_dir: Path | None
    """The folder, if it is on this machine."""
    state: str
    """As in the `--json` object, or one of the states above."""
    exit_code: int | None
    """None while it is not over, and when it was broken off."""
    id: str
    files_total: int | None
    files_completed: int
    files_failed: int
    elapsed_seconds: float | None
    early: str | None = None
    """Why it ended early: the name of a signal, or a short text. None: it did not, or is not over."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or is followed no longer."""
        return self.state not in LIVE_STATES

    @property
    def status(self) -> int:
        """Its exit status, for a script."""
        return EXIT_UNKNOWN if self.exit_code is None else self.exit_code

    def ended_with(self, exit_code: int | None) -> Standing:
        """Return the same of a run that has ended with that status, if it has not reported that.

        None: its launcher has died.
        """
        if self.exit_code is not None:
            return self
        if exit_code is None:
            return replace(self, state=BROKEN_OFF)
        return replace(self, exit_code=exit_code, state=state_at_end(exit_code))

    @property
    def line(self) -> str:
        """How it stands, in one line that is safe to print."""
        total = "" if self.files_total is None else f" of {self.files_total}"
        counts = f"{self.files_completed}{total} files done, {self.files_failed} failed"
        seconds = "" if self.elapsed_seconds is None else f", in {duration(self.elapsed_seconds)}"
        early = f"; it ended early: {self.early}" if self.early and self.state == FINISHED else ""
        return visible(f"{self.target}: {self.state}{self._how()}: {counts}{seconds}{early}")

    def _how(self) -> str:
        if not self.exit_code:
            return ""
        if self.exit_code >= INTERRUPTED:
            try:
                return f" by {signal.Signals(self.exit_code - INTERRUPTED).name}"
            except ValueError:
                pass
        return f" with exit status {self.exit_code}"


def standing_of(bus: FollowedBus) -> Standing:
    """Return how the run of a bus stands now; of several hosts that are on it, the worst."""
    fleet = bus.fleet
    with fleet.frozen():
        totals, runs, finished = fleet.get_totals(), fleet.runs(), fleet.finished
        elapsed = fleet.elapsed_seconds()
    codes = [run["exit_code"] for run in runs if run["exit_code"] is not None]
    worst = max(runs, key=_severity, default=None)
    state = RUNNING if worst is None else worst["state"]
    if state in LIVE_STATES:
        if bus.failure is not None:
            state = UNREACHABLE
        elif finished and worst is None:
            state, codes = ENDED, [0]
    return Standing(
        target=bus.target,
        run_dir=None if "://" in bus.target else Path(bus.target),
        state=state,
        exit_code=max(codes, default=None) if state not in (*LIVE_STATES, BROKEN_OFF, UNREACHABLE) else None,
        id="" if worst is None else worst["id"],
        files_total=totals["files_total"],
        files_completed=totals["files_completed"],
        files_failed=totals["files_failed"],
        elapsed_seconds=elapsed,
        early=None if worst is None or state in LIVE_STATES else worst["draining_reason"],
    )


def _severity(run: AnnouncedRun) -> tuple[bool, bool, int]:
    """A run that is not over comes first, then one that was broken off, then the greatest exit status."""
    return run["state"] in LIVE_STATES, run["state"] == BROKEN_OFF, run["exit_code"] or 0
