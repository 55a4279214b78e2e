"""What a metric is: its name, its meaning, and how its samples are read from a report. Pure.

A name ends in its unit. One that ends in `_total` is a counter, which never goes back during a session; one that
ends in `_info` is always 1 and has its content in its labels; all others are gauges. A figure that can go back is
a gauge even where it mostly grows: Prometheus takes a counter that goes back by a millisecond for one that was
reset, and adds all of it once more.

No label holds the name of a file or a source, or a pair of devices: the number of series depends on the number of
devices alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from virnucpro_bus.fold.report import DeviceReport, FleetReport
from virnucpro_bus.metrics import Effect

Labels = tuple[str, ...]
"""The values of labels, in the order of their names."""
Figures = Mapping[Labels, float | None]
"""The samples of one metric, by the values of its own labels; None: unknown, and so without a sample."""

RUN_LABELS = ("run",)
DEVICE_LABELS = ("run", "hostname", "gpu", "UUID")
"""Spelled as by NVIDIA's DCGM exporter, so that its metrics can be joined on UUID."""


class Run(NamedTuple):
    """One run, or what other programs publish on one bus."""

    name: str
    """"" where it is unknown."""
    report: FleetReport

    @property
    def labels(self) -> Labels:
        """The values of RUN_LABELS."""
        return (self.name,)


class Device(NamedTuple):
    """One device of a run."""

    run: str
    row: DeviceReport
    busy_seconds: float | None
    idle_seconds: float | None
    has_gpu_figures: bool
    """Whether it has the figures of its GPUs: of devices with a GPU in common the first has, so that sums count a
    GPU once."""

    @property
    def labels(self) -> Labels:
        """The values of DEVICE_LABELS."""
        return self.run, self.row["host"], str(self.row["device_id"]), self.row["uuid"] or ""


Of = TypeVar("Of", bound=Run | Device)


@dataclass(frozen=True)
class Metric(Generic[Of]):
    """One metric of each run, or of each device."""

    name: str
    text: str
    """What it means, for `# HELP`."""
    read: Callable[[Of], Figures]
    labels: Labels = ()
    """The names of its own labels, after those of the run or device."""


def devices_of(run: Run) -> Iterator[Device]:
    """Return the devices of a run, in the order of its report."""
    rows, effect = run.report["devices"], run.report["effect"]
    occurs = Counter(row["key"] for row in rows)
    gpus: set[tuple[str, str]] = set()
    for row in rows:
        # Devices of two hosts may have the same key: the effect then holds the sum of their times.
        known = row["key"] if occurs[row["key"]] == 1 else None
        own = {(row["host"], gpu) for gpu in row["gpus"]}
        yield Device(run.name, row, *_times(effect, known), has_gpu_figures=gpus.isdisjoint(own))
        gpus |= own


def _times(effect: Effect, key: str | None) -> tuple[float | None, float | None]:
    if key is None:
        return None, None
    return effect["busy_seconds"].get(key), effect["idle_seconds"].get(key)


def ratio(percent: float | None) -> float | None:
    """Return a percentage as a part of 1; None: unknown."""
    return None if percent is None else percent / 100
