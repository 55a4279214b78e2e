"""How fast devices are, and how well that is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.steps import steps
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.effect.device_totals import DeviceTotals
from virnucpro_bus.effect.duration_model import FixedWork
from virnucpro_bus.effect.speeds import Measurement, Speeds, Started

NO_FIXED_COST = FixedWork(0, 0, 0)


def device(seconds: Sequence[float], works: Sequence[int] | None = None) -> DeviceTotals:
    """A device that has done files, each right after the one before."""
    totals, end = DeviceTotals(), 0.0
    for took, work in zip(seconds, works or [100] * len(seconds), strict=True):
        end += took
        totals.complete([work], [round(end * NANOSECONDS)], [took])
    return totals


def measure(devices: dict[str, DeviceTotals], fixed: FixedWork, in_progress: dict[str, Started]) -> Speeds:
    return Measurement(devices, fixed).speeds(fixed.estimate, in_progress)


def speeds_of(*seconds: Sequence[float], in_progress: dict[str, Started] | None = None) -> Speeds:
    devices = {f"cpu:{number}": device(each) for number, each in enumerate(seconds)}
    return measure(devices, NO_FIXED_COST, in_progress or {})


def noisy(dice: Random, mean: float, files: int = 40) -> list[float]:
    return [mean * dice.lognormvariate(0, 0.5) for _ in range(files)]


def test_a_rate_is_the_work_per_second_of_all_files() -> None:
    speed = measure({"cpu:0": device([1.0, 3.0], [100, 300])}, NO_FIXED_COST, {}).by_key["cpu:0"]
    assert speed.rate == pytest.approx(100.0)
    assert speed.is_measured


def test_the_fixed_cost_of_a_file_is_work() -> None:
    known = FixedWork(100, 100, 100)
    assert measure({"cpu:0": device([1.0, 2.0], [0, 100])}, known, {}).by_key["cpu:0"].rate == pytest.approx(100.0)


def test_without_a_completed_file_no_speed_is_known() -> None:
    assert speeds_of([], []).by_key == {}


def test_a_device_that_slows_down_has_two_rates() -> None:
    speed = speeds_of([1.0] * 10 + [4.0] * 3).by_key["cpu:0"]
    assert [phase.rate for phase in speed.phases] == pytest.approx([100.0, 25.0])
    assert (speed.rate, speed.rate_until(10 * NANOSECONDS)) == pytest.approx((25.0, 100.0))


def test_one_that_slows_down_ever_more_has_a_rate_for_each_step() -> None:
    speed = speeds_of([1.0] * 10 + [2.0] * 10 + [4.0] * 10).by_key["cpu:0"]
    assert [phase.rate for phase in speed.phases] == pytest.approx([100.0, 50.0, 25.0])


@given(st.integers(0, 2**32))
def test_noise_is_seldom_taken_for_a_change_of_speed(seed: int) -> None:
    dice = Random(seed)
    speeds = speeds_of(*(noisy(dice, 1.0) for _ in range(4)))
    assert sum(len(speed.phases) > 1 for speed in speeds.by_key.values()) <= 1


def test_small_files_that_come_last_are_no_change_while_their_fixed_cost_is_not_known() -> None:
    files = device([2.0] * 10 + [0.3] * 4, [200] * 10 + [10] * 4)
    unknown, known = (measure({"cpu:0": files}, FixedWork(20, *likely), {}) for likely in ((0, 40), (0, 0)))
    assert [len(speeds.by_key["cpu:0"].phases) for speeds in (unknown, known)] == [1, 2]


def test_one_long_file_is_not_a_slower_device() -> None:
    assert len(speeds_of([1.0, 1.1, 0.9, 1.0, 1.05, 8.0]).by_key["cpu:0"].phases) == 1


def test_where_files_take_what_their_size_says_a_rate_is_soon_certain() -> None:
    few, many = (speeds_of([1.0] * files, [2.0] * files).by_key["cpu:0"] for files in (2, 50))
    assert many.error < 0.01 < few.error


def test_the_noise_is_the_share_by_which_files_differ() -> None:
    dice = Random(1)
    speeds = speeds_of(noisy(dice, 1.0, 500), noisy(dice, 3.0, 500))
    assert speeds.noise == pytest.approx(math.sqrt(math.expm1(0.25)), rel=0.1)


def test_a_difference_that_noise_explains_is_not_taken_for_one_of_speed() -> None:
    dice = Random(2)
    one, other = speeds_of(noisy(dice, 1.0, 5), noisy(dice, 1.3, 5)).by_key.values()
    assert abs(math.log(one.rate / other.rate)) < 0.1


def test_a_difference_that_noise_does_not_explain_is_taken_as_it_is() -> None:
    one, other = speeds_of([1.0, 1.01, 0.99] * 5, [2.0, 2.02, 1.98] * 5).by_key.values()
    assert one.rate / other.rate == pytest.approx(2.0, rel=0.001)


def test_nine_of_ten_true_rates_are_within_two_errors() -> None:
    errors = []
    for seed in range(50):
        dice = Random(seed)
        means = [dice.choice([1.0, 1.5, 2.5]) for _ in range(6)]
        speeds = speeds_of(*(noisy(dice, mean, 12) for mean in means)).by_key.values()
        true = [100 / (mean * math.exp(0.125)) for mean in means]
        errors += [
            abs(math.log(speed.rate / rate)) / speed.error for speed, rate in zip(speeds, true, strict=True)
        ]
    assert sum(error > 2 for error in errors) < 0.1 * len(errors)


def test_a_device_that_has_done_nothing_is_like_the_others_but_less_certain() -> None:
    measured, supposed = speeds_of([1.0] * 5, []).by_key.values()
    assert supposed.rate == pytest.approx(measured.rate)
    assert (supposed.is_measured, supposed.error > 0.2) == (False, True)


def test_one_whose_first_file_is_not_done_is_slower_than_that_allows() -> None:
    fast, slow = speeds_of([1.0], [], in_progress={"cpu:1": Started(100, 4.0)}).by_key.values()
    assert fast.rate == pytest.approx(100.0)
    assert slow.rate < 25.0


def test_a_file_in_progress_that_is_late_tells_that_files_take_longer_than_those_done() -> None:
    seconds = [0.5, 1.0, 2.0, 0.7, 1.3]
    before, after = speeds_of(seconds), speeds_of(seconds, in_progress={"cpu:0": Started(100, 6.0)})
    assert after.by_key["cpu:0"].rate < 0.8 * before.by_key["cpu:0"].rate


def test_what_another_fixed_cost_does_not_change_is_not_computed_once_more() -> None:
    dice, fixed = Random(4), FixedWork(30, 20, 40)
    works = [[dice.randrange(50, 300) for _ in range(20)] for _ in range(8)]
    seconds = [[(work + 30.0) * (3 if at > 12 else 1) for at, work in enumerate(each)] for each in works]
    devices = {f"cpu:{at}": device(*each) for at, each in enumerate(zip(seconds, works, strict=True))}
    kept = Measurement(devices, fixed)
    for each in fixed:
        assert kept.speeds(each, {}) == Measurement(devices, fixed).speeds(each, {})
    assert {len(speed.phases) for speed in kept.speeds(30, {}).by_key.values()} == {2}
    anew = steps(lambda: Measurement(devices, fixed).speeds(20, {}))
    assert steps(lambda: kept.speeds(20, {})) < 0.8 * anew
