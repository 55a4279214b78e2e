"""The view model: everything that one frame shows, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.model.answers import Steal
from monitor.model.log_page import LogPage
from virnucpro_bus.devices import UUID_PREFIXES
from virnucpro_bus.effect_text import effect_parts
from virnucpro_bus.health.problems import Problem
from virnucpro_bus.health.rows import (
    DeviceWork,
    Row,
    RunTotals,
    run_of,
)
from virnucpro_bus.metrics import Effect, FileRecord, Range
from virnucpro_bus.text import visible

DeviceKey = tuple[str, str, int | str | None]
"""The identity of a device between samples: its host, its run if there are several, and its key, else its UUID or
device_id."""
REASON_CHARACTERS = 40
"""Longer reasons for draining are cut."""
NOTICE = "notice"
"""The `Problem.kind` of a notice that the run itself has published."""
HINT = "hint"
"""The `Problem.kind` of a line that only helps, such as the address of the live page."""
_ENDED_STATES = {"stopped", "lost", "unused"}


@dataclass(frozen=True)
class Trend:
    """The recent figures of one device, oldest first; None where a figure was unknown."""

    compute_percents: tuple[float | None, ...] = ()
    throughputs: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class RunHistory:
    """The figures of a run, oldest first; None where a figure was unknown."""

    seconds: tuple[float, ...] = ()
    """The run's time of each sample."""
    throughputs: tuple[float | None, ...] = ()
    """Sequences per second of all devices."""
    computes: tuple[float | None, ...] = ()
    """The mean compute percentage of the GPUs."""
    cpus: tuple[float | None, ...] = ()
    """The processor time of the workers, as a percentage of one core."""


@dataclass(frozen=True)
class ViewModel:
    """The state of a run at one time: the content of a frame, a plain line and the rows of the log."""

    rows: tuple[Row, ...]
    """One per device, in display order."""
    totals: RunTotals
    steals: tuple[Steal, ...]
    """Oldest first."""
    now_ns: int
    """Wall-clock time of the sources' answers, for display only."""
    elapsed_seconds: float | None = None
    """The run's own time so far; None when unknown."""
    eta_seconds: float | None = None
    """Time until the last file is finished; None when unknown, when the run is over, and while it is draining."""
    eta_range: Range | None = None
    """The least and the greatest that it likely is; None when that is unknown."""
    draining_reason: str | None = None
    """Why no more files are handed out, though the run is not over; None while they are."""
    is_over: bool = False
    """Whether the run has ended, with or without remaining files."""
    health: tuple[Problem, ...] = ()
    """The worst first; empty without a problem."""
    news: tuple[str, ...] = ()
    """The notices that were published since the previous view model, the latest first."""
    title: str = ""
    """The run's name, and how it is replayed."""
    load_seconds: float = 2.0
    """The interval before the last sample of which a GPU's load is the mean."""
    effect: Effect | None = None
    """The effect of stealing on the run; None when the source does not compute it."""
    trends: Mapping[DeviceKey, Trend] = field(default_factory=dict)
    """The trend of each device that has one."""
    files: tuple[FileRecord, ...] = ()
    """The last completed files, oldest first; empty unless a screen shows them."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """The reason of each file that failed for good."""
    logs: tuple[LogPage, ...] = ()
    """The ends of the logs that a screen shows; empty: it shows none, or there is none."""
    history: RunHistory = RunHistory()
    """The figures of the run while it was watched."""

    @property
    def throughput(self) -> float | None:
        """Sequences per second of all devices together; None when no device's is known."""
        return known_sum(metrics["throughput"] for metrics, _ in self.rows)

    @property
    def end(self) -> str:
        """How the run has ended: "finished", "ended early", or "ended" without a plan; "" before.

        Stopped workers only end a planned run for good.
        """
        total, states = self.totals["files_total"], {metrics["state"] for metrics, _ in self.rows}
        if total is None:
            return "ended" if self.is_over else ""
        if (self.totals["files_completed"] or 0) + (self.totals["files_failed"] or 0) >= total:
            return "finished"
        return "ended early" if self.is_over or ("stopped" in states and states <= _ENDED_STATES) else ""

    @property
    def end_or_draining(self) -> str:
        """How the run has ended, or "draining" with the reason, safe to print; "" while files are handed out."""
        if self.end or self.draining_reason is None:
            return self.end
        reason = visible(self.draining_reason)
        if len(reason) > REASON_CHARACTERS:
            reason = reason[: REASON_CHARACTERS - 3] + "..."
        return f"draining ({reason})"

    @property
    def stealing(self) -> list[str]:
        """The effect of stealing as parts of a line; empty while it is unknown.

        While the run is draining only what has happened: a forecast would be of files that are not handed out.
        """
        if self.effect is None:
            return []
        parts = effect_parts(self.effect, self.totals["steals"])
        return parts if self.end or self.draining_reason is None else parts[:1]

    @property
    def is_of_gpus_alone(self) -> bool:
        """Whether there is nothing to show but GPUs: no plan, no file, and no worker has used any of them."""
        states = {metrics["state"] for metrics, _ in self.rows}
        no_files = self.totals["files_total"] is None and not self.totals["files_completed"]
        return no_files and "unused" in states and states <= {"unused", "lost"}

    @property
    def is_simulated(self) -> bool:
        """Whether any GPU is simulated."""
        return any(utilization["simulated"] for _, utilization in self.rows)


def device_key(metrics: DeviceWork) -> DeviceKey:
    """Return the identity of a device, which stays the same while its figures change."""
    return metrics["host"], run_of(metrics), metrics["key"] or metrics["uuid"] or metrics["device_id"]


def each_gpu_once(rows: Iterable[Row]) -> list[Row]:
    """Return the rows without those of GPUs that a row before has as well, for sums over GPUs."""
    known: set[tuple[str, ...]] = set()
    chosen = []
    for row in rows:
        gpus = set(_gpus(row[0]))
        if not gpus or not gpus <= known:
            chosen.append(row)
        known |= gpus
    return chosen


def count_gpus(rows: Sequence[Row]) -> int | None:
    """Return how many GPUs the devices use; None if that is unknown, or one uses none."""
    gpus = [_gpus(row[0]) for row in rows]
    return len(set().union(*gpus)) if all(gpus) else None


def _gpus(metrics: DeviceWork) -> set[tuple[str, ...]]:
    """The identities of the GPUs of a device. Only a UUID means the same GPU in every run and on every host."""
    return {
        (gpu,) if gpu.startswith(UUID_PREFIXES) else (metrics["host"], run_of(metrics), gpu)
        for gpu in metrics["gpus"] or ()
    }


def known_sum(values: Iterable[float | None]) -> float | None:
    """Return the sum of the known values; None when all are unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
