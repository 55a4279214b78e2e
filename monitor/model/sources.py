"""What a dashboard's sources may offer beyond `MetricsSource` and `UtilizationSource`.

Every method here is optional on its own: a FleetState has all of RunDetails, a coordinator in this process some of
it, a user's own source perhaps one. `run_details` and `utilization_details` add defaults for the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol, cast

from virnucpro_bus.metrics import (
    Effect,
    FailedAttempt,
    GpuMetrics,
    GpuUtilization,
    MetricsSource,
    SourceCounts,
    UtilizationSource,
)


class RunDetails(Protocol):
    """What a MetricsSource may know about the run as a whole. Safe to call from any thread."""

    def frozen(self) -> AbstractContextManager[object]:
        """While entered, all answers to this thread are of one moment."""
        ...

    def elapsed_seconds(self) -> float | None:
        """The run's own time so far; None when unknown."""
        ...

    @property
    def finished(self) -> bool:
        """Whether the run is over."""
        ...

    def notices(self) -> list[tuple[int, str]]:
        """The notices that the run has published, oldest first: (wall-clock time in nanoseconds, text)."""
        ...

    def stream_warnings(self) -> list[str]:
        """The problems of the stream of events itself, a line each."""
        ...

    def lossy_sources(self) -> list[SourceCounts]:
        """The sources whose events are missing in part."""
        ...

    def failures(self) -> dict[str, str]:
        """The reason of each file that failed for good, by file."""
        ...

    def attempts(self) -> dict[str, list[FailedAttempt]] | None:
        """The failed attempts, by file; None when they are not recorded."""
        ...

    def get_effect(self) -> Effect | None:
        """The effect of stealing on the run; None when it is not computed."""
        ...


class UtilizationDetails(Protocol):
    """What a UtilizationSource may offer for many GPUs and long intervals. Safe to call from any thread."""

    def get_utilizations_of(self, rows: Sequence[GpuMetrics]) -> list[GpuUtilization] | None:
        """The figures of the GPU of each row, in order; None when they have to be asked for one by one."""
        ...

    def set_display_interval(self, seconds: float) -> None:
        """Announce a request every `seconds`: the load should be the mean over as long."""
        ...


def run_details(source: MetricsSource, since_start_seconds: float | None) -> RunDetails:
    """Return the details of `source`, with a default for each that it lacks.

    `since_start_seconds` is the run's time when the source does not know it.
    """
    return cast("RunDetails", _WithDefaults(source, _NoRunDetails(since_start_seconds)))


def utilization_details(source: UtilizationSource) -> UtilizationDetails:
    """Return the details of `source`, with a default for each that it lacks."""
    return cast("UtilizationDetails", _WithDefaults(source, _NoUtilizationDetails()))


class _WithDefaults:
    """A source that takes each attribute it lacks from `defaults`, which has all of them."""

    def __init__(self, source: object, defaults: object) -> None:
        self._source = source
        self._defaults = defaults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name, getattr(self._defaults, name))


class _NoRunDetails(RunDetails):
    """The details of a source that offers only the methods of MetricsSource."""

    finished = False

    def __init__(self, since_start_seconds: float | None) -> None:
        self._since_start_seconds = since_start_seconds

    def frozen(self) -> AbstractContextManager[object]:
        return nullcontext()

    def elapsed_seconds(self) -> float | None:
        return self._since_start_seconds

    def notices(self) -> list[tuple[int, str]]:
        return []

    def stream_warnings(self) -> list[str]:
        return []

    def lossy_sources(self) -> list[SourceCounts]:
        return []

    def failures(self) -> dict[str, str]:
        return {}

    def attempts(self) -> dict[str, list[FailedAttempt]] | None:
        return None

    def get_effect(self) -> Effect | None:
        return None


class _NoUtilizationDetails(UtilizationDetails):
    """The details of a source that offers only the method of UtilizationSource."""

    def get_utilizations_of(self, rows: Sequence[GpuMetrics]) -> list[GpuUtilization] | None:
        return None

    def set_display_interval(self, seconds: float) -> None:
        pass
