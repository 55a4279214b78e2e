"""A run as the report shows it: its recording, and the figures that several sections need, computed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.device_keys import device_title
from virnucpro_bus.devices import display_id, is_simulated
from virnucpro_bus.effect.combine import combine
from virnucpro_bus.metrics import Effect, GpuMetrics, Totals
from virnucpro_bus.run_reports import AnnouncedRun
from virnucpro_bus.sources.recording import Recording
from virnucpro_bus.text import visible
from virnucpro_bus.timeline.attempt_figures import AttemptFigures
from virnucpro_bus.timeline.timeline import Attempt, DeviceKey, Timeline
from virnucpro_bus.whatif import WhatIf


@dataclass(frozen=True)
class ReportedRun:
    """One run of a report. The recording must not change any more."""

    name: str
    """What it is called on the page."""
    recording: Recording
    what_if: WhatIf | str
    """The run under other policies and devices; or why that is not known, in a line."""
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The last lines that attempts and workers in trouble have printed, by log; empty where none are kept."""

    @property
    def timeline(self) -> Timeline:
        """Its course."""
        return self.recording.timeline

    @cached_property
    def effects(self) -> dict[str, Effect]:
        """Whether stealing helped, on each host."""
        return self.recording.fleet.effects_by_host()

    @cached_property
    def effect(self) -> Effect:
        """Whether stealing helped, on all hosts together."""
        return combine(self.effects.values())

    @cached_property
    def totals(self) -> Totals:
        """What was done."""
        return self.recording.fleet.get_totals()

    @cached_property
    def announced(self) -> list[AnnouncedRun]:
        """The runs that launchers have announced, by host; empty for workers without a launcher."""
        return self.recording.fleet.runs()

    @cached_property
    def devices(self) -> list[GpuMetrics]:
        """The devices that worked, or were to work, by host and index."""
        return self.recording.fleet.get_gpu_metrics()

    @cached_property
    def span_ns(self) -> tuple[int, int]:
        """The first and the last moment; zeros when nothing is known."""
        return self.timeline.span_ns or (0, 0)

    @property
    def seconds(self) -> float:
        """From the first moment to the last."""
        start_ns, end_ns = self.span_ns
        return (end_ns - start_ns) / NANOSECONDS

    @cached_property
    def hosts(self) -> list[str]:
        """The hosts of all devices."""
        return sorted({host for host, _ in self.timeline.devices} | {row["host"] for row in self.devices})

    @cached_property
    def is_simulated(self) -> bool:
        """Whether any figure is simulated."""
        return self.recording.fleet.is_simulated or any(
            is_simulated(key) or columns.simulated for (_, key), columns in self.timeline.samples.items()
        )

    @cached_property
    def attempts_by_device(self) -> dict[DeviceKey, list[Attempt]]:
        """The attempts of each device, by their start."""
        found: dict[DeviceKey, list[Attempt]] = {}
        for attempt in self.timeline.attempts:
            found.setdefault((attempt.host, attempt.device), []).append(attempt)
        for attempts in found.values():
            attempts.sort(key=_start)
        return found

    @cached_property
    def attempt_figures(self) -> AttemptFigures:
        """What the GPUs of an attempt did meanwhile."""
        return AttemptFigures(self.timeline)

    @cached_property
    def unended_attempts(self) -> list[Attempt]:
        """The attempts that did not complete a file, by their end, but for those in progress."""
        return [each for each in self.timeline.attempts if each.outcome not in ("completed", "running")]

    @cached_property
    def sessions(self) -> int:
        """How often the run was started or resumed, on the host where that was most; 0 without a launcher."""
        return max(Counter(each.host for each in self.timeline.sessions).values(), default=0)

    @cached_property
    def last_session(self) -> list[Attempt]:
        """The attempts of the last session of each host: those that the effect is about."""
        if self.sessions <= 1:
            return self.timeline.attempts
        starts = {each.host: each.start_ns for each in self.timeline.sessions}
        return [each for each in self.timeline.attempts if each.end_ns >= starts.get(each.host, 0)]

    @cached_property
    def makespan_seconds(self) -> float | None:
        """From the start of the first file of the last session to the end of the last; None without any."""
        makespan = self.effect["makespan_seconds"]
        if makespan is None and self.last_session:
            start_ns = min(each.start_ns for each in self.last_session)
            return (self.last_session[-1].end_ns - start_ns) / NANOSECONDS
        return makespan

    def label(self, host: str, key: str | None) -> str:
        """What a device is called: GPU 0, or its key; with the host where there are several."""
        if key is None:
            return "n/a"
        device = self.timeline.devices.get((host, key))
        name = device_title(key if device is None else display_id(device))
        return f"{visible(host)} {name}" if len(self.hosts) > 1 else name


def _start(attempt: Attempt) -> int:
    return attempt.start_ns


def group_of(runs: Sequence[ReportedRun]) -> str | None:
    """What the column is called in which tables of several runs name them; None for one run."""
    return "run" if len(runs) > 1 else None
