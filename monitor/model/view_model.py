"""What one frame shows, how the run stands, and how a device is called and a figure is written. Plain data and
pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from virnucpro_bus.metrics import Effect, GpuMetrics, GpuUtilization, StealEvent, Totals
from virnucpro_bus.text import visible

Row = tuple[GpuMetrics, GpuUtilization]
DeviceKey = tuple[str, int | str]
"""What a device is known by from look to look: its host, and its UUID or else its device_id."""


NOTICE = "notice"
"""The kind of a problem that the run has told itself, at one time."""
_OVER = {"stopped", "lost", "unused"}


@dataclass(frozen=True)
class Problem:
    """Something that is wrong, in one line."""

    text: str
    is_bad: bool = False
    """Whether something is lost for good; otherwise it is a warning."""
    kind: str = ""
    """One word for all of its kind ("lost", "stale"), for those who tell it in another way; "" has none."""
    brief: str = ""
    """How it is told where it is told again and again; "" for `text`."""


@dataclass(frozen=True)
class Trend:
    """The figures of one device at the last looks, oldest first; None where one was unknown."""

    compute_percents: tuple[float | None, ...] = ()
    throughputs: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class ViewModel:
    """All that a frame, a plain line and a row of the log are made of."""

    rows: tuple[Row, ...]
    """One a device, in display order."""
    totals: Totals
    steals: tuple[StealEvent, ...]
    """Oldest first."""
    now_ns: int
    """Wall-clock time of the look, for display only."""
    elapsed_seconds: float | None = None
    """The run's own time so far; None when unknown."""
    eta_seconds: float | None = None
    """Time until the last file is done; None when unknown, and when nothing more will be done."""
    is_over: bool = False
    """Whether nothing more will be done, whatever is left."""
    health: tuple[Problem, ...] = ()
    """The worst first; empty when there is nothing wrong."""
    news: tuple[str, ...] = ()
    """What the run has told since the look before, the latest first."""
    title: str = ""
    """The run's name, or how it is replayed."""
    effect: Effect | None = None
    """What stealing has done for the run; None where the source does not tell."""
    trends: Mapping[DeviceKey, Trend] = field(default_factory=dict)
    """How the devices have done lately, of those of which it is known."""

    @property
    def throughput(self) -> float | None:
        """Sequences per second of all devices of which it is known; None when it is known of none."""
        return known_sum(metrics["throughput"] for metrics, _ in self.rows)

    @property
    def end(self) -> str:
        """How the run has ended; "" while it goes on. With every worker stopped nothing more is to be expected."""
        total, states = self.totals["files_total"], {metrics["state"] for metrics, _ in self.rows}
        if total is None:
            return ""
        if self.totals["files_completed"] + self.totals["files_failed"] >= total:
            return "finished"
        return "ended early" if self.is_over or ("stopped" in states and states <= _OVER) else ""

    @property
    def is_simulated(self) -> bool:
        """Whether any GPU's figures are made up."""
        return any(utilization["simulated"] for _, utilization in self.rows)


def device_key(metrics: GpuMetrics) -> DeviceKey:
    """What the device is known by, whatever else changes."""
    return metrics["host"], metrics["uuid"] or metrics["device_id"]


def device_label(device_id: int | str) -> str:
    """How a device is called on screen: "GPU 0" for an NVML index, else its own name, e.g. "cpu:0"."""
    return f"GPU {device_id}" if isinstance(device_id, int) else visible(device_id)


def has_several_hosts(rows: Sequence[Row]) -> bool:
    """Whether a device's label needs its host to be told apart."""
    return len({metrics["host"] for metrics, _ in rows}) > 1


def remaining_seconds(totals: Totals, elapsed_seconds: float | None, effect: Effect | None = None) -> float | None:
    """ETA: as `effect` expects it from the work that is left, else remaining files x elapsed / completed files.

    None before the first completion and without a plan.
    """
    if totals["files_total"] is None or elapsed_seconds is None or totals["files_completed"] == 0:
        return None
    remaining = totals["files_total"] - totals["files_completed"] - totals["files_failed"]
    expected = None if effect is None else _expected_seconds(effect)
    # Of several runs as a whole the longest may be over while another goes on; 0 says nothing then.
    if expected is not None and (expected > 0 or remaining <= 0):
        return expected
    return max(0, remaining) * elapsed_seconds / totals["files_completed"]


def _expected_seconds(effect: Effect) -> float | None:
    end, now = effect["makespan_expected_seconds"], effect["makespan_seconds"]
    return None if end is None or now is None else max(0.0, end - now)


def known_sum(values: Iterable[float | None]) -> float | None:
    """The sum of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
