"""What a user's own sources answer: fewer fields, and of any type."""

from __future__ import annotations

import os
from collections import deque
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.log.metrics_log import MetricsLog
from monitor.model.answers import (
    Steal,
    _CheckedUtilization,
    device_works,
    gpu_utilization,
    recent_steals,
    run_totals,
)
from monitor.model.collector import Collector, Failures
from monitor.model.view_model import ViewModel
from monitor.view.frame import frame
from monitor.view.plain_line import line
from tests.support.foreign_sources import DEVICE, FIGURES, STEAL, OwnCoordinator, OwnGpus
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.health.rows import DeviceWork, RunTotals
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuMetricsOfRun, GpuUtilization, StealEvent, Totals

NAN, INF = float("nan"), float("inf")


class Odd:
    """A number of another library whose methods raise."""

    def __index__(self) -> int:
        raise RuntimeError("no index")

    def __float__(self) -> float:
        raise RuntimeError("no float")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("neither equal nor not")

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __hash__ = None  # type: ignore[assignment]


class Whole:
    """A whole number of another library."""

    def __index__(self) -> int:
        return 7


class Single(float):
    """A float type of another library."""


ODD_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(
        [
            Odd(),
            Whole(),
            Single(1.5),
            object(),
            object,
            datetime(2026, 1, 1, tzinfo=UTC),
            Path("/data/a.fa"),
            {},
            10**400,
        ]
    ),
)


class Reported(list[Exception]):
    """The failures that were reported."""

    @property
    def texts(self) -> list[str]:
        return [str(each) for each in self]


def collect(coordinator: Any, gpus: Any, failures: Failures | None = None) -> ViewModel:
    return Collector(coordinator, gpus, ManualClock(), failures or Failures()).collect("", None)


@pytest.mark.parametrize(
    ("read", "declared"),
    [
        (DeviceWork, GpuMetricsOfRun),
        (Steal, StealEvent),
        (RunTotals, Totals),
        (_CheckedUtilization, GpuUtilization),
    ],
)
def test_every_field_that_a_source_may_have_is_read(read: Any, declared: Any) -> None:
    assert get_type_hints(read).keys() == get_type_hints(declared).keys()


def test_what_a_coordinator_of_two_methods_lacks_is_unknown_and_the_rest_is_shown() -> None:
    model = collect(OwnCoordinator(), OwnGpus())
    ((work, figures),) = model.rows
    assert work == {
        **DEVICE,
        **dict.fromkeys(["uuid", "sequences", "files_failed", "state", "current_file", "seconds_since_done"]),
        "current_file_percent": None,
        "loading_seconds": None,
        **dict.fromkeys(["key", "gpus", "cpu_percent", "resident_bytes", "read_bytes_per_second", "worker"]),
        "host": "",
    }
    assert figures == {**UNKNOWN_UTILIZATION, **FIGURES}
    assert model.steals == ({**STEAL, "host": ""},)
    assert (model.health, model.end) == ((), "")


def test_totals_that_a_coordinator_does_not_have_are_summed_up_from_its_devices() -> None:
    rows = [DEVICE, {**DEVICE, "device_id": 1, "files_failed": 1}]
    assert collect(OwnCoordinator(rows), OwnGpus()).totals == {
        "files_total": None,
        "files_completed": 10,
        "files_failed": None,  # one device does not know it
        "sequences": None,
        "steals": 4,
        **dict.fromkeys(["events_published", "events_received", "events_lost"]),
    }


def test_totals_that_a_coordinator_knows_are_believed() -> None:
    totals = run_totals({"files_total": 9, "files_completed": 6}, device_works([DEVICE], Reported().append), print)
    assert (totals["files_total"], totals["files_completed"], totals["steals"]) == (9, 6, 2)


def test_an_answer_may_be_an_object_with_attributes() -> None:
    model = collect(OwnCoordinator([SimpleNamespace(**DEVICE)], [SimpleNamespace(**STEAL)]), OwnGpus())
    as_dicts = collect(OwnCoordinator(), OwnGpus(SimpleNamespace(**FIGURES)))
    assert (model.rows, model.steals) == (as_dicts.rows, as_dicts.steals)


@pytest.mark.parametrize(
    "value", [7, 7.0, Whole(), Single(7.0), Fraction(7)], ids=lambda value: type(value).__name__
)
def test_a_number_of_any_library_is_taken(value: Any) -> None:
    reported = Reported()
    row = {**DEVICE, **dict.fromkeys(["device_id", "queue_depth", "throughput"], value)}
    [work] = device_works([row], reported.append)
    assert (work["device_id"], work["queue_depth"], work["throughput"], reported) == (7, 7, 7.0, [])
    assert [type(work[name]) for name in ("device_id", "queue_depth")] == [int, int]


@pytest.mark.parametrize(
    "value", [-1, 1.5, INF, True, "12", b"12", [1], 2**70, Odd()], ids=lambda value: type(value).__name__
)
def test_a_count_that_cannot_be_is_unknown_and_reported_by_name(value: Any) -> None:
    reported = Reported()
    [work] = device_works([{**DEVICE, "files_completed": value}], reported.append)
    assert work["files_completed"] is None
    assert [text.startswith("files_completed: cannot be ") for text in reported.texts] == [True]


def test_a_bool_of_another_library_is_one_and_no_number() -> None:
    other = type("bool", (), {"__bool__": lambda self: True, "__float__": lambda self: 1.0})()
    reported = Reported()
    figures = gpu_utilization({**FIGURES, "lost": other, "power_watts": other}, reported.append)
    assert (figures["lost"], figures["power_watts"], len(reported)) == (True, None, 1)


@pytest.mark.parametrize("value", [None, NAN, Single("nan")], ids=repr)
def test_a_figure_that_is_none_or_not_a_number_is_unknown_without_a_report(value: Any) -> None:
    reported = Reported()
    figures = gpu_utilization({**FIGURES, "compute_percent": value}, reported.append)
    assert (figures["compute_percent"], figures["memory_percent"], reported) == (None, 40.0, [])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("compute_percent", 100.5),
        ("memory_percent", -1.0),
        ("temperature", -300.0),
        ("power_watts", -5.0),
        ("power_watts", "200 W"),
        ("compute_percent", True),
        ("lost", "no"),
    ],
)
def test_a_figure_of_a_gpu_that_cannot_be_is_unknown_and_the_others_are_known(name: str, value: Any) -> None:
    reported = Reported()
    figures = gpu_utilization({**FIGURES, name: value}, reported.append)
    known = {**UNKNOWN_UTILIZATION, **FIGURES}
    assert figures == {**known, name: False if name == "lost" else None}
    assert reported.texts == [f"{name}: cannot be {value}"]


def test_a_row_or_a_steal_that_is_none_is_left_out_and_reported() -> None:
    reported = Reported()
    assert len(device_works([DEVICE, 5, "row", None, DEVICE], reported.append)) == 2
    assert len(recent_steals([STEAL, None], reported.append)) == 1
    assert reported.texts[:: len(reported) - 1] == [
        "a row of get_gpu_metrics must be a dict, not 5",
        "a steal must be a dict, not None",
    ]


def test_an_attribute_that_raises_is_reported_and_unknown() -> None:
    class Row:
        device_name = "A100"

        @property
        def device_id(self) -> int:
            raise RuntimeError("not yet")

    reported = Reported()
    [work] = device_works([Row()], reported.append)
    assert (work["device_id"], work["device_name"], reported.texts) == (None, "A100", ["not yet"])


@pytest.mark.parametrize("moment", [-1.0, 1e300, "now", datetime(2026, 1, 1, tzinfo=UTC)], ids=repr)
def test_a_steal_at_a_time_that_cannot_be_shown_is_shown_without_it(moment: Any) -> None:
    [steal] = recent_steals([{**STEAL, "timestamp": moment}], Reported().append)
    assert (steal["timestamp"], steal["file_name"]) == (None, "a.fa")


@pytest.mark.parametrize("kind", [list, tuple, deque, iter], ids=lambda kind: kind.__name__)
def test_rows_and_steals_may_come_in_any_iterable(kind: Any) -> None:
    class Coordinator(OwnCoordinator):
        def get_gpu_metrics(self) -> Any:
            return kind([DEVICE])

        def get_recent_steal_events(self) -> Any:
            return kind([STEAL])

    model = collect(Coordinator(), OwnGpus())
    assert (len(model.rows), len(model.steals), model.health) == (1, 1, ())


def test_steals_that_cannot_be_iterated_to_their_end_are_reported() -> None:
    reported = Reported()
    assert recent_steals(({**STEAL, "timestamp": 1 / (1 - each)} for each in range(2)), reported.append) == ()
    assert [type(each) for each in reported] == [ZeroDivisionError]


@given(
    st.lists(
        st.fixed_dictionaries({}, optional=dict.fromkeys([*DEVICE, "uuid", "state", "host"], ODD_VALUES)),
        max_size=3,
    ),
    st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(STEAL, ODD_VALUES)), max_size=3),
    st.fixed_dictionaries({}, optional=dict.fromkeys([*FIGURES, "lost", "sample_age_seconds"], ODD_VALUES)),
)
def test_no_answer_of_a_source_keeps_the_dashboard_from_showing_and_logging(
    rows: list[Any], steals: list[Any], figures: dict[str, Any]
) -> None:
    model = collect(OwnCoordinator(rows, steals), OwnGpus(figures))
    assert len(model.rows) == len(rows)
    assert len(model.steals) == len(steals)
    assert line(model)
    assert frame(model, 200, 40)
    log = MetricsLog(os.devnull, ManualClock())
    log.write(model.rows)


def test_a_coordinator_may_name_the_gpus_of_a_device_and_names_that_are_none_are_reported() -> None:
    reported = Reported()
    rows = device_works([{**DEVICE, "gpus": ("GPU-a", "GPU-b")}, {**DEVICE, "gpus": [1]}], reported.append)
    assert [row["gpus"] for row in rows] == [["GPU-a", "GPU-b"], None]
    assert [str(error) for error in reported] == ["gpus: cannot be [1]"]
