"""A device that joins a run after its start: it has no files of its own, and could not have worked before."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.effects import effect_after
from tests.support.simulated_runs import ImaginedRun
from virnucpro_bus.metrics import Effect
from workers.schedule.policy_registry import POLICIES

costs = st.lists(st.integers(1, 100).map(lambda n: 15 * n), min_size=1, max_size=40)
speeds = st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.5]), min_size=1, max_size=3)
LATE = st.lists(st.tuples(st.sampled_from([0.5, 100.0, 700.0]), st.sampled_from([0.5, 1.0, 2.5])), max_size=2).map(
    sorted
)


def effect_with(
    costs: list[int],
    speeds: list[float],
    late: list[tuple[float, float]],
    policy: str = "threshold",
    until_seconds: float = float("inf"),
) -> Effect:
    run = ImaginedRun(costs, speeds, policy, late=late)
    run.work(until_seconds)
    return run.fleet().get_effect()


def test_before_it_joins_a_device_is_not_idle() -> None:
    # cpu:0 has four files of 10 s; cpu:1 joins after 15 s and steals one of the two that are left, until 25 s.
    effect = effect_with([10] * 4, [1.0], [(15.0, 1.0)], policy="cost")
    assert effect["makespan_seconds"] == pytest.approx(30.0)
    assert effect["busy_seconds"] == pytest.approx({"cpu:0": 30.0, "cpu:1": 10.0})
    assert effect["idle_seconds"] == pytest.approx({"cpu:0": 0.0, "cpu:1": 5.0})


def test_without_stealing_it_would_have_had_no_file() -> None:
    effect = effect_with([10] * 4, [1.0], [(15.0, 1.0)], policy="cost")
    assert effect["makespan_without_stealing_seconds"] == pytest.approx(40.0)
    assert effect["saved_seconds"] == pytest.approx(10.0)


def test_the_lower_bound_counts_a_device_from_when_it_joined() -> None:
    # 40 s of work: 15 s on one device, 12.5 s on two.
    effect = effect_with([10] * 4, [1.0], [(15.0, 1.0)], policy="cost")
    assert effect["lower_bound_seconds"] == pytest.approx(27.5)


def test_the_biggest_file_is_no_faster_on_a_fast_device_than_after_that_has_joined() -> None:
    # cpu:1 is ten times as fast: the biggest file takes it 6 s, from 35 s on.
    effect = effect_with([60, 20, 20], [1.0], [(35.0, 10.0)], policy="cost")
    assert effect["makespan_seconds"] == pytest.approx(60.0)
    assert effect["lower_bound_seconds"] == pytest.approx(41.0)


def test_a_device_that_found_nothing_to_do_ran_out_of_work_when_it_joined() -> None:
    effect = effect_with([60, 20], [1.0, 1.0], [(45.0, 1.0)])
    assert effect["makespan_seconds"] == pytest.approx(60.0)
    assert effect["finish_seconds"]["cpu:2"] == pytest.approx(45.0)
    assert effect["makespan_without_stealing_seconds"] == effect["makespan_seconds"]
    assert effect["tail_seconds"] == pytest.approx(40.0)


def test_what_is_expected_of_the_run_changes_when_a_device_joins() -> None:
    alone = effect_with([10] * 8, [1.0], [], policy="cost", until_seconds=21.0)
    joined = effect_with([10] * 8, [1.0], [(20.5, 1.0)], policy="cost", until_seconds=21.0)
    assert alone["makespan_expected_seconds"] == pytest.approx(80.0)
    expected = joined["makespan_expected_seconds"]
    assert expected is not None
    assert 50.0 <= expected <= 55.0


@pytest.mark.parametrize("policy", POLICIES)
@given(costs=costs, speeds=speeds, late=LATE)
@example(costs=[1050], speeds=[1.5], late=[(700.0, 0.5)])  # joins at the very end
def test_whatever_joins_when_no_run_ends_before_the_lower_bound_and_each_device_is_busy_or_idle_from_then_on(
    policy: str, costs: list[int], speeds: list[float], late: list[tuple[float, float]]
) -> None:
    effect = effect_with(costs, speeds, late, policy)
    makespan, bound = effect["makespan_seconds"], effect["lower_bound_seconds"]
    assert makespan is not None
    assert bound is not None
    joins = dict.fromkeys((f"cpu:{at}" for at in range(len(speeds))), 0.0)
    joins |= {f"cpu:{at}": seconds for at, (seconds, _) in enumerate(late, len(speeds)) if seconds <= makespan}
    assert effect["idle_seconds"].keys() == joins.keys()
    for key, seconds in joins.items():
        assert effect["busy_seconds"][key] + effect["idle_seconds"][key] == pytest.approx(makespan - seconds)
    # One that has completed nothing is supposed to be like the others, which may be too fast.
    if all(effect["busy_seconds"].values()):
        assert makespan >= bound * (1 - 1e-6)
    if policy == "off":
        assert effect["makespan_without_stealing_seconds"] == makespan


def test_a_device_that_was_there_from_the_start_is_not_late() -> None:
    assert effect_with([30, 20, 10], [1.0, 2.0], []) == effect_after([30, 20, 10], [1.0, 2.0])
