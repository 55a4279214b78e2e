"""Rates of devices: by their weights first, by their measurements after that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.schedule.rates import Rates

measurements = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 10**12), st.floats(0.0, 1e6)), min_size=1, max_size=40
)


def test_before_anything_was_measured_rates_are_in_the_ratio_of_the_weights() -> None:
    rates = Rates([1.0, 2.0, 4.0], 100.0).by_device
    assert rates == pytest.approx([rates[0], 2 * rates[0], 4 * rates[0]])


def test_one_measurement_sets_the_scale_for_all() -> None:
    rates = Rates([1.0, 2.0], 100.0)
    assert rates.add_measurement(1, 100.0, 10.0)
    assert rates.by_device == pytest.approx([5.0, 10.0])


def test_a_file_of_mean_size_counts_twice_as_much_as_the_weight() -> None:
    rates = Rates([1.0, 1.0], 100.0)
    rates.add_measurement(0, 100.0, 10.0)
    rates.add_measurement(1, 100.0, 20.0)
    # Of its own 100 units in 20 s, and of half a file at what both did together, 200 units in 30 s.
    prior_units = 0.85**1 * 50.0
    assert rates.by_device[1] == pytest.approx((100.0 + prior_units) / (20.0 + prior_units * 30.0 / 200.0))


def test_in_the_end_the_measured_rate_stands_whatever_the_weight() -> None:
    rates = Rates([1.0, 100.0], 10.0)
    for _ in range(60):
        rates.add_measurement(0, 10.0, 1.0)
        rates.add_measurement(1, 10.0, 2.0)
    assert rates.by_device == pytest.approx([10.0, 5.0], rel=1e-3)


def test_a_device_that_slows_has_a_low_rate_after_a_few_files() -> None:
    rates = Rates([1.0], 10.0)
    for _ in range(100):
        rates.add_measurement(0, 10.0, 1.0)
    for _ in range(7):
        rates.add_measurement(0, 10.0, 3.0)
    assert 10.0 / 3.0 < rates.by_device[0] < 5.0


def test_what_others_did_is_learned_of_an_unmeasured_device_at_powers_of_two_only() -> None:
    rates = Rates([1.0, 1.0], 10.0)
    changed = [rates.add_measurement(0, 10.0, 1.0) for _ in range(9)]
    assert [count for count, has_changed in enumerate(changed, start=1) if has_changed] == [1, 2, 4, 8]


def test_a_device_that_has_done_something_is_not_moved_by_what_others_do() -> None:
    rates = Rates([1.0, 1.0], 10.0)
    rates.add_measurement(0, 10.0, 1.0)
    before = rates.by_device[0]
    for _ in range(8):
        rates.add_measurement(1, 10.0, 50.0)
    assert rates.by_device[0] == before


def test_a_file_that_took_no_time_leaves_a_rate_that_is_finite() -> None:
    rates = Rates([1.0], 10.0)
    rates.add_measurement(0, 10.0, 0.0)
    assert 0.0 < rates.by_device[0] < 1e12


@given(weights=st.lists(st.floats(1e-300, 1e300), min_size=4, max_size=4), done=measurements)
def test_whatever_is_measured_every_rate_is_above_0_and_finite(
    weights: list[float], done: list[tuple[int, int, float]]
) -> None:
    rates = Rates(weights, 1_000.0)
    for device, units, seconds in done:
        rates.add_measurement(device, units, seconds)
    assert all(0.0 < rate < 1e30 for rate in rates.by_device)


@given(weight=st.floats(0.01, 4.0), done=measurements)
def test_a_device_that_is_added_counts_as_if_it_had_been_there(
    weight: float, done: list[tuple[int, int, float]]
) -> None:
    from_the_start, added = Rates([1.0, 4.0, 2.0, weight], 1_000.0), Rates([1.0, 4.0, 2.0], 1_000.0)
    for rates in (from_the_start, added):
        for device, units, seconds in done[:20]:
            rates.add_measurement(device % 3, units, seconds)
    added.add_device(weight)
    for rates in (from_the_start, added):
        # At a power of two, what others have done is learned of those not yet measured.
        for _ in range(len(done[:20]), 32):
            rates.add_measurement(0, 10, 1.0)
        rates.add_measurement(3, 10, 1.0)
    assert added.by_device == pytest.approx(from_the_start.by_device)


def test_whatever_the_weight_of_a_device_that_is_added_its_rate_is_above_0_and_finite() -> None:
    rates = Rates([1e-300, 1e-300], 1_000.0)
    for weight in (1e-300, 1.0, 1e300):
        rates.add_device(weight)
    assert all(0.0 < rate < 1e30 for rate in rates.by_device)


@given(done=measurements, factor=st.sampled_from([0.001, 1_000.0]))
def test_the_unit_of_work_does_not_matter(done: list[tuple[int, int, float]], factor: float) -> None:
    small, large = Rates([1.0] * 4, 100.0), Rates([1.0] * 4, 100.0 * factor)
    for device, units, seconds in done:
        small.add_measurement(device, units, seconds)
        large.add_measurement(device, units * factor, seconds)
    assert large.by_device == pytest.approx([factor * rate for rate in small.by_device])
