"""What a dashboard asks its sources: a little that they must offer, and details that they may.

Every detail is optional on its own: a FleetState has all of RunDetails, a coordinator in this process some of it,
a user's own source perhaps one. `run_details` and `utilization_details` add a default for each that is lacking,
that raises, or whose answer is not of its type, so that the others are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from typing import Any, Protocol, cast, get_origin, get_type_hints

import msgspec

from monitor.model.answers import Report
from virnucpro_bus.metrics import Effect, FailedAttempt, FileRecord, SourceCounts


class WorkSource(Protocol):
    """What a dashboard needs to know of the work: `MetricsSource` fulfils it. Safe to call from any thread."""

    def get_gpu_metrics(self) -> Iterable[object]:
        """One row per device, with the fields of `GpuMetrics` that the source knows."""
        ...


class GpuSource(Protocol):
    """What a dashboard needs to know of GPUs: `UtilizationSource` fulfils it. Safe to call from any thread."""

    def get_gpu_utilization(self, device_id: Any) -> object:
        """The figures of a GPU, with the fields of `GpuUtilization` that the source knows; None: unknown."""
        ...


class RunDetails(Protocol):
    """What a WorkSource may know about the run as a whole. Safe to call from any thread."""

    def get_recent_steal_events(self) -> Iterable[Any]:
        """The last steals, oldest first, with the fields of `StealEvent` that the source knows."""
        ...

    def get_totals(self) -> Mapping[str, Any] | None:
        """The run's totals, with the fields of `Totals` that the source knows; None: it has none."""
        ...

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

    @property
    def draining_reason(self) -> str | None:
        """Why the run, which is not over, hands out no more files; None while it does."""
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

    def files(self) -> list[FileRecord]:
        """The last completed files, oldest first."""
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
    """What a GpuSource may offer for many GPUs and long intervals. Safe to call from any thread."""

    def get_utilizations_of(self, rows: Sequence[Any]) -> list[Any] | None:
        """The figures of the GPU of each row, in order; None when they have to be asked for one by one."""
        ...

    def set_display_interval(self, seconds: float) -> None:
        """Announce a request every `seconds`: the load should be the mean over as long."""
        ...


def run_details(source: WorkSource, since_start_seconds: float | None, report: Report) -> RunDetails:
    """Return the details of `source`. `report` takes what a method raises, and what it wrongly answers.

    `since_start_seconds` is the run's time when the source does not know it.
    """
    return cast("RunDetails", _Details(source, _NoRunDetails(since_start_seconds), RunDetails, report))


def utilization_details(source: GpuSource, report: Report) -> UtilizationDetails:
    """Return the details of `source`. `report` is as for `run_details`."""
    return cast("UtilizationDetails", _Details(source, _NoUtilizationDetails(), UtilizationDetails, report))


_CHECKED_ONLY = (AbstractContextManager, Iterable)
"""Types of answers that are no data, and are taken as they are."""


class _Details:
    """The methods and properties of a protocol: a source's own, or else those of `defaults`, which has all."""

    def __init__(self, source: object, defaults: object, protocol: type, report: Report) -> None:
        self._source = source
        self._defaults = defaults
        self._protocol = protocol
        self._report = report

    def __getattr__(self, name: str) -> Any:
        declared = getattr(self._protocol, name)
        if isinstance(declared, property):
            return self._ask(name, declared.fget)
        return partial(self._ask, name, declared)

    def _ask(self, name: str, declared: object, *arguments: object) -> object:
        """Return the source's answer, if it has one of the type that the protocol declares, else the default."""
        default = getattr(self._defaults, name)
        try:
            own = getattr(self._source, name, default)
            if callable(own) is not callable(default):
                own = default  # something else of that name
            answer, kind = own(*arguments) if callable(own) else own, _answer_type(declared)
            if kind in _CHECKED_ONLY and isinstance(answer, kind):
                return answer
            return msgspec.convert(answer, kind)
        except msgspec.ValidationError as error:
            self._report(TypeError(f"{name}: {error}"))
        except Exception as error:  # a user's own class may raise anything
            self._report(error)
        return default(*arguments) if callable(default) else default


@cache
def _answer_type(declared: Any) -> Any:
    """The type of the answers of a method or property."""
    kind = get_type_hints(declared)["return"]
    return get_origin(kind) if get_origin(kind) in _CHECKED_ONLY else kind


class _NoRunDetails(RunDetails):
    """The details of a source that offers only the method of WorkSource."""

    finished = False
    draining_reason = None

    def __init__(self, since_start_seconds: float | None) -> None:
        self._since_start_seconds = since_start_seconds

    def get_recent_steal_events(self) -> Iterable[Any]:
        return ()

    def get_totals(self) -> Mapping[str, Any] | None:
        return None

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

    def files(self) -> list[FileRecord]:
        return []

    def failures(self) -> dict[str, str]:
        return {}

    def attempts(self) -> dict[str, list[FailedAttempt]] | None:
        return None

    def get_effect(self) -> Effect | None:
        return None


class _NoUtilizationDetails(UtilizationDetails):
    """The details of a source that offers only the method of GpuSource."""

    def get_utilizations_of(self, rows: Sequence[Any]) -> list[Any] | None:
        return None

    def set_display_interval(self, seconds: float) -> None:
        pass
