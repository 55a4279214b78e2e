"""The trends of devices, from sample to sample."""

from __future__ import annotations

from monitor.model.trends import SAMPLES_KEPT, TrendKeeper
from monitor.model.view_model import device_key
from tests.support.pictures import placed, row
from virnucpro_bus.health.rows import Row


def sample_of(index: int, compute: float | None, throughput: float | None) -> Row:
    metrics, utilization = row(index)
    return {**metrics, "throughput": throughput}, {**utilization, "compute_percent": compute}


def test_figures_are_kept_oldest_first_and_unknown_ones_as_unknown() -> None:
    keeper = TrendKeeper()
    keeper.add([sample_of(0, 10.0, None), sample_of(1, None, 5.0)], 1.0)
    trends = keeper.add([sample_of(1, 30.0, 6.0), sample_of(0, 20.0, 1.0)], 2.0)
    first, second = (trends[device_key(row(index)[0])] for index in (0, 1))
    assert (first.compute_percents, first.throughputs) == ((10.0, 20.0), (None, 1.0))
    assert (second.compute_percents, second.throughputs) == ((None, 30.0), (5.0, 6.0))


def test_only_the_last_samples_are_kept() -> None:
    keeper = TrendKeeper()
    for number in range(SAMPLES_KEPT + 7):
        trends = keeper.add([sample_of(0, float(number), None)], float(number))
    (trend,) = trends.values()
    assert trend.compute_percents == tuple(float(number) for number in range(7, SAMPLES_KEPT + 7))
    assert len(trend.throughputs) == SAMPLES_KEPT


def test_devices_of_one_name_in_two_runs_have_trends_of_their_own() -> None:
    assert len(TrendKeeper().add([placed(0, "node", "a"), placed(0, "node", "b")], 1.0)) == 2


def test_the_trend_of_a_device_that_returns_starts_over() -> None:
    keeper = TrendKeeper()
    keeper.add([sample_of(0, 1.0, 1.0)], 1.0)
    assert keeper.add([], 2.0) == {}
    (trend,) = keeper.add([sample_of(0, 2.0, 2.0)], 3.0).values()
    assert trend.compute_percents == (2.0,)


def test_returned_trends_do_not_change_with_later_samples() -> None:
    keeper = TrendKeeper()
    before = keeper.add([sample_of(0, 1.0, 1.0)], 1.0)
    keeper.add([sample_of(0, 2.0, 2.0)], 2.0)
    (trend,) = before.values()
    assert trend.compute_percents == (1.0,)


def test_nothing_is_added_while_time_stands_still() -> None:
    keeper = TrendKeeper()
    for compute, at in ((1.0, 5.0), (2.0, 5.0), (3.0, 5.0), (4.0, 6.0)):
        trends = keeper.add([sample_of(0, compute, None)], at)
    (trend,) = trends.values()
    assert trend.compute_percents == (1.0, 4.0)


def test_trends_start_over_when_time_goes_back() -> None:
    keeper = TrendKeeper()
    for compute, at in ((1.0, 5.0), (2.0, 7.0), (3.0, 6.0)):
        trends = keeper.add([sample_of(0, compute, None)], at)
    (trend,) = trends.values()
    assert trend.compute_percents == (3.0,)
