"""The metrics of each run. Pure."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from monitor.prometheus.metric import Figures, Metric, Run, ratio
from virnucpro_bus.fold.report import FleetReport
from virnucpro_bus.metrics import Range
from virnucpro_bus.run_reports import LIVE_STATES


def _run(name: str, text: str, value: Callable[[FleetReport], float | None]) -> Metric[Run]:
    """A metric with one sample a run."""
    return Metric(name, text, lambda run: {(): value(run.report)})


def _ends(figure: Range | None, *labels: str, scale: float = 1.0) -> Figures:
    """The samples of a range, by `labels` and which end it is."""
    least, greatest = figure or (None, None)
    return {
        (*labels, "least"): None if least is None else least * scale,
        (*labels, "greatest"): None if greatest is None else greatest * scale,
    }


def _makespans(run: Run) -> Figures:
    effect = run.report["effect"]
    return {
        ("elapsed",): effect["makespan_seconds"],
        ("expected",): effect["makespan_expected_seconds"],
        ("without_stealing",): effect["makespan_without_stealing_seconds"],
        ("bound",): effect["lower_bound_seconds"],
    }


def _makespan_ranges(run: Run) -> Figures:
    effect = run.report["effect"]
    return {
        **_ends(effect["makespan_expected_range"], "expected"),
        **_ends(effect["makespan_without_stealing_range"], "without_stealing"),
        **_ends(effect["lower_bound_range"], "bound"),
    }


def _run_info(run: Run) -> Figures:
    return {
        (each["host"], each["job"], each["policy"], version("virnucpro-bus")): 1.0 for each in run.report["runs"]
    }


def _is_finished(report: FleetReport) -> float | None:
    states = [run["state"] for run in report["runs"]]
    return float(LIVE_STATES.isdisjoint(states)) if states else None


RUN_METRICS: tuple[Metric[Run], ...] = (
    Metric(
        "virnucpro_run_info",
        "The announced run: the host of its launcher, its job and policy, and the version of this program.",
        _run_info,
        ("hostname", "job_name", "policy", "version"),
    ),
    _run(
        "virnucpro_run_finished",
        "1 once the run is over, also if it was interrupted or killed; 0 while it is running.",
        _is_finished,
    ),
    _run("virnucpro_files_planned", "Files of the plan.", lambda report: report["totals"]["files_total"]),
    _run(
        "virnucpro_run_files_completed",
        "Files of the run that are completed, on all devices.",
        lambda report: report["totals"]["files_completed"],
    ),
    _run(
        "virnucpro_run_files_failed",
        "Files of the run that failed and will not be retried, on all devices or on none.",
        lambda report: report["totals"]["files_failed"],
    ),
    Metric(
        "virnucpro_makespan_seconds",
        "From the start of the first file to the end of the last: elapsed until now; expected; without stealing; "
        "the lower bound of all distributions of the files.",
        _makespans,
        ("of",),
    ),
    Metric(
        "virnucpro_makespan_range_seconds",
        "What an estimated makespan is likely between (95 %).",
        _makespan_ranges,
        ("of", "end"),
    ),
    _run(
        "virnucpro_stealing_saved_seconds",
        "What stealing saves in total: the makespan without it minus the expected one; below 0 if it costs time.",
        lambda report: report["effect"]["saved_seconds"],
    ),
    Metric(
        "virnucpro_stealing_saved_range_seconds",
        "What that is likely between (95 %).",
        lambda run: _ends(run.report["effect"]["saved_range"]),
        ("end",),
    ),
    _run(
        "virnucpro_above_bound_ratio",
        "How far the expected makespan is above the lower bound, as a part of that bound.",
        lambda report: ratio(report["effect"]["above_bound_percent"]),
    ),
    Metric(
        "virnucpro_above_bound_range_ratio",
        "What that is likely between (95 %).",
        lambda run: _ends(run.report["effect"]["above_bound_range"], scale=1 / 100),
        ("end",),
    ),
    _run(
        "virnucpro_jain_index",
        "How even the busy times of the devices are: 1 if all are equal, 1/n if one of n devices did everything.",
        lambda report: report["effect"]["jain_index"],
    ),
    _run(
        "virnucpro_events_published_total",
        "Events that the sources are known to have published.",
        lambda report: report["totals"]["events_published"],
    ),
    _run(
        "virnucpro_events_received_total",
        "Events that were received.",
        lambda report: report["totals"]["events_received"],
    ),
    _run(
        "virnucpro_events_lost",
        "Published minus received events; goes back when missing events are read later.",
        lambda report: report["totals"]["events_lost"],
    ),
)
