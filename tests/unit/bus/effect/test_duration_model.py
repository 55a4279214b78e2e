"""What every file costs whatever its size."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.simulated_runs import ImaginedRun
from virnucpro_bus import events as ev
from virnucpro_bus.effect.duration_model import (
    MAX_FIXED_SHARE,
    OVERRUN,
    Progress,
    by_size_and_progress,
    fixed_work,
    remaining_seconds,
)
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script

WORKS = [100, 200, 300, 500, 800, 1300, 2100, 3400]


def took(a: float, b: float, works: list[int] = WORKS) -> list[tuple[int, float]]:
    return [(work, a + b * work) for work in works]


@given(st.lists(st.integers(1, 10**6), max_size=50), st.floats(1e-6, 10))
def test_files_that_take_as_long_as_their_size_says_cost_nothing_else(works: list[int], b: float) -> None:
    assert fixed_work([took(0.0, b, works)]).estimate == 0


def test_it_is_the_work_that_would_take_as_long() -> None:
    assert fixed_work([took(3.0, 0.01)]).estimate == 300


def test_devices_of_different_speed_agree_on_it() -> None:
    assert fixed_work([took(3.0, 0.01), took(6.0, 0.02), took(1.5, 0.005)]).estimate == 300


def test_one_device_on_which_something_was_odd_does_not_count() -> None:
    odd = [*took(0.0, 0.01)[:-1], (WORKS[-1], 0.001)]
    assert fixed_work([took(3.0, 0.01), odd, took(3.0, 0.01)]).estimate == 300


@pytest.mark.parametrize("files", [took(2.0, 0.0), took(9.0, -0.001)], ids=["the same time", "less for more"])
def test_where_size_says_nothing_all_files_are_as_good_as_equal(files: list[tuple[int, float]]) -> None:
    assert fixed_work([files]).estimate == MAX_FIXED_SHARE * sum(WORKS) / len(WORKS)


def test_two_files_and_files_of_one_size_prove_nothing() -> None:
    two = took(3.0, 0.01, [100, 2000])
    assert fixed_work([[], took(3.0, 0.01, [1]), two, took(3.0, 0.01, [5] * 20)]).estimate == 0


def test_the_fewer_files_the_wider_its_range() -> None:
    few, many = fixed_work([took(3.0, 0.01)]), fixed_work([took(3.0, 0.01)] * 10)
    assert few.least < few.estimate <= few.greatest
    assert many == (300, 300, 300)


def test_two_files_of_each_of_several_devices_tell_it() -> None:
    assert fixed_work([took(3.0 / speed, 0.01 / speed, [100, 1000]) for speed in (1, 2, 3)]).estimate == 300


@given(st.integers(0, 2**32))
def test_sizes_that_hardly_differ_do_not_pass_noise_off_as_knowledge(seed: int) -> None:
    dice = Random(seed)
    files = [(work, 0.01 * work * dice.gauss(1, 0.1)) for work in range(1000, 1040)]
    assert fixed_work([files]).estimate == 0


@given(st.integers(0, 2**32))
def test_files_that_take_a_random_time_that_goes_by_size_cost_little_else(seed: int) -> None:
    dice = Random(seed)
    works = [round(1000 * dice.lognormvariate(0, 1)) + 1 for _ in range(200)]
    files = [(work, 0.01 * work * dice.lognormvariate(0, 0.3)) for work in works]
    assert fixed_work([files]).estimate <= 0.15 * sum(works) / len(works)


@given(
    by_size=st.floats(1e-3, 1e6),
    error=st.floats(1e-6, 10.0),
    share=st.floats(0.01, 1.0),
    seconds=st.floats(1e-3, 1e6),
    curve=st.floats(0.4, 2.0),
)
def test_what_is_known_by_size_and_progress_is_between_both_and_better_known_than_either(
    by_size: float, error: float, share: float, seconds: float, curve: float
) -> None:
    progress = Progress(share, seconds)
    whole, whole_error = by_size_and_progress(by_size, error, progress, curve)
    least, greatest = sorted((by_size, progress.whole_seconds(curve)))
    assert least * (1 - 1e-9) <= whole <= greatest * (1 + 1e-9)
    assert 0.0 < whole_error <= min(error, progress.error) * (1 + 1e-9)


def test_the_more_of_a_file_is_done_the_more_counts_its_progress() -> None:
    by_size, found = 100.0, []
    for share in (0.1, 0.3, 0.6, 0.9):
        whole, _ = by_size_and_progress(by_size, 0.2, Progress(share, 200.0 * share), 1.0)
        found.append(whole)
    assert found == sorted(found)
    assert by_size < found[0] < 105.0
    assert 165.0 < found[-1] < 200.0


@pytest.mark.parametrize(("curve", "whole"), [(1.0, 40.0), (0.5, 20.0), (2.0, 160.0)])
def test_a_quarter_of_the_sequences_is_more_of_the_time_where_the_first_ones_are_long(
    curve: float, whole: float
) -> None:
    assert Progress(0.25, 10.0).whole_seconds(curve) == pytest.approx(whole)


def test_a_file_that_is_late_although_its_progress_was_known_is_so_by_the_time_since_then() -> None:
    assert remaining_seconds(100.0, 102.0, reported=100.0) == pytest.approx(OVERRUN * 2.0)
    assert remaining_seconds(100.0, 102.0) == pytest.approx(OVERRUN * 102.0)


def test_a_run_of_files_that_all_take_the_same_time_is_expected_to_end_when_their_number_says() -> None:
    script, gpu = Script(), Device("cpu:0")
    files = [f"{number}.fa" for number in range(20)]
    script.say("coordinator", ev.RunStarted("job", "off", (gpu,), 20))
    plan = tuple(ev.PlannedFile(file, 0, 2 ** (20 - number)) for number, file in enumerate(files))
    script.say("coordinator", ev.FilesAssigned(gpu.key, plan))
    script.say("worker-0", ev.WorkerStarted(gpu, 100))
    for file in files[:10]:
        script.say("worker-0", ev.FileStarted(gpu.key, file))
        script.clock.advance(2.0)
        script.say("worker-0", ev.FileCompleted(gpu.key, file, 0, 1, 2.0))
    fleet = FleetState(script.clock, local_host="node")
    fleet.feed(script.frames())
    assert fleet.get_effect()["makespan_expected_seconds"] == pytest.approx(40.0, rel=0.02)


def test_in_a_run_that_goes_by_size_the_expectation_does_too() -> None:
    costs = [1000, 500, 250, 125, 60, 50, 40, 30, 20, 20, 20]
    begun, over = (ImaginedRun(costs, [1.0], "off") for _ in range(2))
    begun.work(1990.0)
    over.work(math.inf)
    expected = begun.fleet().get_effect()["makespan_expected_seconds"]
    assert expected == pytest.approx(over.fleet().get_effect()["makespan_seconds"], rel=0.01)
