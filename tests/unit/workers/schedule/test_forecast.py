"""When each device is expected to finish its lease and its queue."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.effect.duration_model import OVERRUN
from workers.schedule.forecast import Forecast

SECONDS = st.floats(0.0, 50.0)


def measured(costs: list[int], queues: list[list[int]]) -> Forecast:
    """Each device has done file 0, of 100 units, in 10 s: its rate is 10 units a second, and it is 10 s now."""
    forecast = Forecast(costs, [1.0] * len(queues))
    forecast.set_queues(queues, [True] * len(queues))
    for device in range(len(queues)):
        forecast.start(device, 0, 0.0)
        forecast.finish(device, 10.0, 10.0)
    assert forecast.rates == pytest.approx([10.0] * len(queues))
    return forecast


def test_a_device_is_done_with_its_queue_when_its_rate_says() -> None:
    forecast = measured([100, 50, 30], [[1, 2], []])
    assert forecast.free_at == pytest.approx([10.0, 10.0])
    assert forecast.finish_at == pytest.approx([18.0, -inf])


def test_its_lease_comes_before_its_queue() -> None:
    forecast = measured([100, 50, 30], [[1, 2], []])
    forecast.dequeue(0, 1)
    forecast.start(0, 1, 11.0)
    assert (forecast.free_at[0], forecast.finish_at[0]) == pytest.approx((16.0, 19.0))


def test_a_file_that_another_device_takes_is_expected_of_that_one() -> None:
    forecast = measured([100, 50, 30], [[1, 2], []])
    forecast.dequeue(0, 1)
    forecast.start(1, 1, 10.0)
    assert forecast.finish_at[0] == pytest.approx(13.0)
    assert forecast.free_at[1] == pytest.approx(15.0)


def test_a_file_that_costs_nothing_is_expected_to_take_some_time() -> None:
    assert list(Forecast([0, 0], [1.0]).costs) == [1, 1]


def test_a_failed_attempt_does_not_change_the_rate() -> None:
    forecast = measured([100, 50], [[1]])
    forecast.start(0, 1, 10.0)
    forecast.finish(0, None, 300.0)
    assert forecast.rates == pytest.approx([10.0])
    assert forecast.free_at == pytest.approx([300.0])


def test_what_is_learned_of_one_device_changes_what_is_expected_of_those_not_yet_measured() -> None:
    forecast = Forecast([100, 100], [1.0, 1.0])
    forecast.start(0, 0, 0.0)
    forecast.start(1, 1, 0.0)
    forecast.finish(0, 10.0, 10.0)
    assert forecast.free_at == pytest.approx([10.0, 10.0])


def test_what_takes_longer_than_expected_is_expected_to_take_longer_still() -> None:
    forecast = measured([100, 50], [[1], []])
    forecast.start(0, 1, 10.0)
    assert forecast.free_at[0] == pytest.approx(15.0)
    forecast.exclude(1)
    again = forecast.correct_overruns(20.0)
    assert forecast.free_at[0] == pytest.approx(20.0 + OVERRUN * 10.0)
    assert again == forecast.free_at[0]


def test_what_is_in_time_is_left_as_it_was() -> None:
    forecast = measured([100, 50], [[1]])
    forecast.start(0, 1, 10.0)
    expected = forecast.free_at[0]
    assert forecast.correct_overruns(14.0) == expected
    assert forecast.free_at[0] == expected


def test_a_device_that_was_refused_does_not_count_until_it_leases_a_file() -> None:
    forecast = measured([100, 50], [[1], []])
    assert forecast.exclude(1)
    assert not forecast.exclude(1)
    assert (forecast.free_at[1], forecast.capacity[1], forecast.booked[1]) == (-inf, 0.0, 0.0)
    forecast.start(1, 1, 12.0)
    assert forecast.capacity[1] == pytest.approx(10.0)


def test_a_retired_device_does_not_count_even_while_it_works() -> None:
    forecast = measured([100, 50], [[1], []])
    forecast.start(1, 0, 10.0)
    forecast.set_queues([[1], []], [True, False])
    forecast.finish(1, 10.0, 20.0)
    assert forecast.free_at[1] == -inf
    assert forecast.capacity[1] == 0.0


def test_a_device_that_is_added_counts_from_then_on_by_its_weight() -> None:
    forecast = measured([100, 50, 50], [[1, 2]])
    forecast.add_device(0.5, 12.0)
    assert forecast.rates == pytest.approx([10.0, 5.0])
    assert (forecast.free_at[1], forecast.finish_at[1], forecast.capacity[1]) == pytest.approx((12.0, -inf, 5.0))
    forecast.dequeue(0, 2)
    forecast.start(1, 2, 13.0)
    assert forecast.free_at[1] == pytest.approx(23.0)


def test_when_all_are_left_out_nothing_will_overrun() -> None:
    forecast = Forecast([], [1.0])
    forecast.exclude(0)
    assert forecast.correct_overruns(5.0) == inf


@given(
    steps=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["work", "fail", "refuse", "correct"]), SECONDS)),
    costs=st.lists(st.integers(0, 1_000), min_size=1, max_size=9),
)
def test_capacity_and_what_is_booked_follow_from_rates_and_times(
    steps: list[tuple[int, str, float]], costs: list[int]
) -> None:
    forecast, now = Forecast(costs, [1.0, 2.0, 0.5]), 0.0
    forecast.set_queues([list(range(len(costs))), [], []], [True] * 3)
    for number, (device, what, seconds) in enumerate(steps):
        if what == "refuse":
            forecast.exclude(device)
        elif what == "correct":
            now += seconds
            forecast.correct_overruns(now)
            assert all(at >= now or at == -inf for at in forecast.free_at)
        else:
            forecast.start(device, number % len(costs), now)
            now += seconds
            forecast.finish(device, seconds if what == "work" else None, now)
        for free_at, rate, capacity, booked in zip(
            forecast.free_at, forecast.rates, forecast.capacity, forecast.booked, strict=True
        ):
            assert (capacity, booked) == ((rate, rate * free_at) if free_at > -inf else (0.0, 0.0))
