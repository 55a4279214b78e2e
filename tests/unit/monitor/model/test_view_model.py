"""The remaining time, and how devices and figures are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.view_model import ViewModel, known_sum
from monitor.view.formatting import known_mean, model_labels, rate
from tests.support.pictures import placed
from virnucpro_bus.effect.combine import unknown_effect
from virnucpro_bus.health.remaining import remaining_seconds
from virnucpro_bus.health.rows import RunTotals, device_label, qualified_label, qualifiers
from virnucpro_bus.metrics import Effect

TOTALS: RunTotals = {
    "files_total": 40,
    "files_completed": 10,
    "files_failed": 2,
    "sequences": 1000,
    "steals": 0,
    "events_published": 500,
    "events_received": 500,
    "events_lost": 0,
}


def test_the_remaining_time_is_remaining_files_times_elapsed_by_completed_files() -> None:
    assert remaining_seconds(TOTALS, 100.0) == 28 * 100.0 / 10


@pytest.mark.parametrize(
    ("totals", "elapsed"),
    [({**TOTALS, "files_completed": 0}, 100.0), ({**TOTALS, "files_total": None}, 100.0), (TOTALS, None)],
)
def test_the_remaining_time_is_unknown_without_completion_plan_or_start(
    totals: RunTotals, elapsed: float | None
) -> None:
    assert remaining_seconds(totals, elapsed) is None


def expecting(now: float | None, end: float | None) -> Effect:
    return {**unknown_effect(), "makespan_seconds": now, "makespan_expected_seconds": end}


def test_the_remaining_time_is_the_expected_one_where_work_and_rates_are_known() -> None:
    assert remaining_seconds(TOTALS, 100.0, expecting(90.0, 140.0)) == 50.0


def test_the_remaining_time_may_be_known_before_the_first_completion() -> None:
    none_done: RunTotals = {**TOTALS, "files_completed": 0}
    assert remaining_seconds(none_done, 100.0, expecting(90.0, 140.0)) == 50.0
    assert remaining_seconds(none_done, 100.0, expecting(90.0, None)) is None


@pytest.mark.parametrize("effect", [expecting(None, None), expecting(90.0, None), expecting(90.0, 90.0)])
def test_files_left_are_never_expected_to_take_no_time(effect: Effect) -> None:
    assert remaining_seconds(TOTALS, 100.0, effect) == 28 * 100.0 / 10


def test_a_run_that_is_done_has_no_time_left() -> None:
    done: RunTotals = {**TOTALS, "files_completed": 38}
    assert remaining_seconds(done, 100.0, expecting(90.0, 90.0)) == 0.0


@pytest.mark.parametrize(
    ("places", "needed"),
    [
        ([("a", "")], ()),
        ([("a", "r"), ("b", "s")], ("host",)),
        ([("a", "r"), ("a", "s")], ("run",)),
        ([("a", "r"), ("a", "s"), ("b", "r")], ("host", "run")),
    ],
)
def test_a_label_has_before_it_what_tells_devices_apart(
    places: list[tuple[str, str]], needed: tuple[str, ...]
) -> None:
    rows = [placed(0, host, run) for host, run in places]
    assert qualifiers(rows) == needed
    assert len({qualified_label(metrics, qualifiers(rows)) for metrics, _ in rows}) == len(rows)


def test_a_device_is_called_by_its_index_or_its_own_name() -> None:
    assert (device_label(0), device_label("cpu:0"), device_label("a\x1b")) == ("GPU 0", "cpu:0", r"a\x1b")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "n/a"),
        (0.0, "0.00"),
        (9.99, "9.99"),
        (9.996, "10.0"),
        (1504.04, "1504.0"),
        (123_456.0, "123.5k"),
        (99_999.97, "100.0k"),
        (2.5e9, "2500.0M"),
        (1e15, "1.0e+15"),
    ],
)
def test_rates_are_written_briefly(value: float | None, text: str) -> None:
    assert rate(value) == text


@given(st.floats(0, 1e300))
def test_no_rate_is_longer_than_its_column(value: float) -> None:
    assert len(rate(value)) <= 8


def test_sums_and_means_are_over_what_is_known() -> None:
    assert (known_sum([1.0, None, 2.0]), known_sum([None])) == (3.0, None)
    assert (known_mean([1.0, None, 2.0]), known_mean([])) == (1.5, None)


@pytest.mark.parametrize(("is_over", "end"), [(False, ""), (True, "ended")])
def test_a_run_without_a_plan_is_never_said_to_be_finished(is_over: bool, end: str) -> None:
    without_plan: RunTotals = {**TOTALS, "files_total": None}
    assert ViewModel((), without_plan, (), 0, is_over=is_over).end == end


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["NVIDIA GeForce RTX 4090", "NVIDIA H100 80GB HBM3", "Tesla T4"], ["4090", "H100", "T4"]),
        (["NVIDIA A100-PCIE-40GB", "NVIDIA A100 80GB PCIe"], ["A100 40GB", "A100 80GB"]),
        (["NVIDIA RTX 6000 Ada Generation", "Quadro RTX 6000"], ["RTX 6000 Ada Generation", "Quadro RTX 6000"]),
        (["CPU", "NVIDIA L4", ""], ["CPU", "L4", ""]),
    ],
)
def test_models_get_the_shortest_labels_that_distinguish_them(names: list[str], labels: list[str]) -> None:
    assert list(model_labels(names).values()) == labels
