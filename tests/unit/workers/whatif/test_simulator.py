"""Simulated runs: nothing is lost, whatever the policy, and `cost` never makes a run longer."""

from __future__ import annotations

import random
from itertools import chain

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from virnucpro_bus.errors import UserError
from workers.schedule.policy_registry import POLICIES
from workers.whatif.simulator import SimDevice, SimFile, SimResult, SimSteal, simulate

costs = st.lists(st.one_of(st.integers(0, 4), st.integers(1, 1000)), max_size=25)
speeds = st.lists(st.sampled_from([0.3, 1.0, 1.5, 2.5]), min_size=1, max_size=6)
times = st.floats(0.0, 300.0)
scales = st.sampled_from([1.0, 0.003])
"""Seconds for a unit of work: with the second, files are so short that devices hold several ahead."""


def known_files(costs: list[int], scale: float = 1.0) -> list[SimFile]:
    """Files of which exactly as much is known as there is to do."""
    return [SimFile(cost * scale, cost) for cost in costs]


def known_devices(speeds: list[float]) -> list[SimDevice]:
    """Devices of which the plan knows the speed."""
    return [SimDevice(speed, weight=speed) for speed in speeds]


@st.composite
def fleets(draw: st.DrawFn) -> list[SimDevice]:
    """Devices that come late, get slower or faster, or are lost; the first one never is."""
    return [
        SimDevice(
            speed,
            draw(st.sampled_from([0.5, 1.0, 2.0])),
            tuple(sorted(draw(st.lists(st.tuples(times, st.sampled_from([0.2, 1.0, 3.0])), max_size=2)))),
            draw(times) if draw(st.booleans()) else 0.0,
            draw(times) if number and draw(st.booleans()) else None,
        )
        for number, speed in enumerate(draw(speeds))
    ]


@pytest.mark.parametrize("policy", POLICIES)
@given(works=costs, scale=scales, fleet=fleets(), data=st.data())
def test_every_file_is_done_once_whatever_becomes_of_the_devices(
    policy: str, works: list[int], scale: float, fleet: list[SimDevice], data: st.DataObject
) -> None:
    estimates = data.draw(st.lists(st.integers(0, 50), min_size=len(works), max_size=len(works)))
    files = [SimFile(work * scale, cost) for work, cost in zip(works, estimates, strict=True)]
    result = simulate(files, fleet, policy)
    assert None not in result.worked_by
    assert len(result.worked_by) == len(files)
    assert all(seconds >= 0.0 for seconds in result.idle_seconds)


@given(costs, speeds, scales)
# One ends in time but for rounding.
@example(costs=[4, 3, 1, 3, 1, 2], speeds=[0.3, 1.5, 1.0, 1.5, 1.5, 0.3], scale=1.0)
def test_cost_ends_no_later_than_off_where_sizes_and_speeds_are_known(
    costs: list[int], speeds: list[float], scale: float
) -> None:
    """A file of no cost is left out: it takes no time, and is taken for one that does."""
    files = known_files([max(cost, 1) for cost in costs], scale)
    off, cost = (simulate(files, known_devices(speeds), policy).makespan_seconds for policy in ("off", "cost"))
    assert cost <= off * (1 + 1e-6)


@given(costs, speeds, scales, st.data())
def test_cost_makes_no_plan_worse(
    costs: list[int], speeds: list[float], scale: float, data: st.DataObject
) -> None:
    files = known_files([max(cost, 1) for cost in costs], scale)
    owners = data.draw(st.lists(st.integers(0, len(speeds) - 1), min_size=len(costs), max_size=len(costs)))
    plan = [[file for file, owner in enumerate(owners) if owner == device] for device in range(len(speeds))]
    ends = [
        simulate(files, known_devices(speeds), policy, plan=plan).makespan_seconds for policy in ("off", "cost")
    ]
    assert ends[1] <= ends[0] * (1 + 1e-6)


@pytest.mark.parametrize("policy", POLICIES)
def test_one_device_takes_as_long_as_all_the_work(policy: str) -> None:
    assert simulate(known_files([3, 5, 4]), [SimDevice(2.0)], policy).makespan_seconds == 6.0


@pytest.mark.parametrize("policy", POLICIES)
def test_with_more_devices_than_files_the_rest_is_idle(policy: str) -> None:
    result = simulate(known_files([6, 6]), [SimDevice()] * 4, policy)
    assert (result.makespan_seconds, result.idle_seconds, result.steals) == (6.0, (0.0, 0.0, 6.0, 6.0), ())


@pytest.mark.parametrize("policy", POLICIES)
def test_equal_files_on_equal_devices_are_not_moved(policy: str) -> None:
    result = simulate(known_files([10] * 12), [SimDevice()] * 4, policy)
    assert (result.makespan_seconds, result.steals) == (30.0, ())


@pytest.mark.parametrize("policy", POLICIES)
def test_files_of_no_length_are_done_at_once(policy: str) -> None:
    assert simulate(known_files([0] * 9), [SimDevice()] * 2, policy).makespan_seconds == 0.0


def test_rates_that_differ_by_less_than_their_inverses_are_taken_for_the_same() -> None:
    assert simulate(known_files([0, 4]), known_devices([0.3, 0.3, 1.0]), "cost").worked_by == (0, 2)


@pytest.mark.parametrize("policy", POLICIES)
def test_no_files_are_no_run(policy: str) -> None:
    assert simulate([], [SimDevice()], policy) == SimResult(0.0, (0.0,), (0.0,), (0.0,), (), (), 0)


def test_when_sizes_are_unknown_stealing_mends_what_the_plan_got_wrong() -> None:
    dice = random.Random(3)
    files = [SimFile(dice.lognormvariate(0, 1), 0) for _ in range(400)]
    devices = known_devices([1.0, 1.0, 1.5, 2.5])
    off, cost = (simulate(files, devices, policy).makespan_seconds for policy in ("off", "cost"))
    assert cost < 0.95 * off


def test_a_device_that_comes_late_takes_its_share_of_what_is_left() -> None:
    late = simulate(known_files([1] * 100), [SimDevice(), SimDevice(joins_at_seconds=40.0)], "cost")
    assert late.makespan_seconds == 70.0


@pytest.mark.parametrize("policy", POLICIES)
def test_what_a_lost_device_held_and_had_waiting_is_done_by_the_others(policy: str) -> None:
    result = simulate(known_files([10] * 4), [SimDevice(), SimDevice(lost_at_seconds=15.0)], policy)
    assert (result.makespan_seconds, sorted(result.worked_by, key=str)) == (30.0, [0, 0, 0, 1])


def test_files_behind_one_that_takes_longer_than_was_expected_are_done_by_other_devices() -> None:
    """The second file of the first device takes 60 s rather than 0.02 s, and it holds four behind that."""
    files = [SimFile(60.0 if number == 1 else 0.02, 1) for number in range(40)]
    result = simulate(files, [SimDevice(), SimDevice()], "cost", plan=[list(range(20)), list(range(20, 40))])
    assert (result.makespan_seconds, result.worked_by) == (60.02, (0, 0, *[1] * 38))


def test_a_file_that_was_held_ahead_by_a_thief_counts_as_stolen_once_it_is_begun() -> None:
    files = [SimFile(0.02, 1) for _ in range(40)]
    result = simulate(files, [SimDevice(), SimDevice()], "cost", plan=[list(range(40)), []])
    assert {steal.file for steal in result.steals} == {
        file for file, device in enumerate(result.worked_by) if device == 1
    }
    assert result.makespan_seconds == pytest.approx(0.4)
    assert result.requests < 20


def test_files_for_which_no_device_is_left_are_done_by_none() -> None:
    result = simulate(known_files([10] * 2), [SimDevice(lost_at_seconds=15.0)], "cost")
    assert result.worked_by.count(None) == 1


def test_a_device_works_at_the_speed_that_it_has_at_each_moment() -> None:
    slowing = SimDevice(2.0, changes=((3.0, 1.0), (5.0, 0.5)))
    assert simulate(known_files([10]), [slowing], "off").finish_seconds == (9.0,)


def test_a_slow_device_does_not_take_the_last_big_file() -> None:
    """The fast one does both sooner than the slow one does either; threshold would not know."""
    plan = [[], [0, 1, 2]]
    devices = known_devices([0.1, 1.0])
    careless, careful = (
        simulate(known_files([10, 9, 8]), devices, name, plan=plan) for name in ("threshold", "cost")
    )
    assert careless.makespan_seconds == pytest.approx(100.0)
    assert (careful.makespan_seconds, careful.steals) == (27.0, ())


def test_a_thief_that_asks_first_leaves_a_fast_victim_its_biggest_file() -> None:
    plan = [[], [0, 1, 2, 3]]
    result = simulate(known_files([40, 30, 4, 3]), known_devices([0.5, 1.0]), "cost", plan=plan)
    [first, *_] = result.steals
    assert first.file != 0
    assert result.worked_by[0] == 1


def test_a_steal_names_thief_victim_and_file_as_they_were_given() -> None:
    result = simulate(known_files([1, 2, 3]), [SimDevice(), SimDevice()], "cost", plan=[[], [0, 1, 2]])
    assert result.steals[0] == SimSteal(0.0, 0, 1, 2)


def test_with_an_interval_threshold_is_the_polling_plan() -> None:
    plan = [[], list(range(9))]
    result = simulate(known_files([1] * 9), [SimDevice()] * 2, "threshold", plan=plan, steal_interval_seconds=3.0)
    assert [steal.at_seconds for steal in result.steals] == [0.0, 3.0]


def test_an_unknown_policy_is_a_user_error() -> None:
    with pytest.raises(UserError, match="unknown policy"):
        simulate([], [SimDevice()], "greedy")


@pytest.mark.parametrize(("devices", "files"), [(8, 2_000), (64, 10_000)])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_large_run_is_exact_and_with_stealing_near_the_bound(policy: str, devices: int, files: int) -> None:
    dice = random.Random(devices)
    works = [int(1_000 * dice.lognormvariate(0, 0.5)) + 1 for _ in range(files)]
    speeds = [dice.choice([1.0, 1.5, 2.5]) for _ in range(devices)]
    result = simulate(known_files(works), [SimDevice(speed) for speed in speeds], policy)
    done = [0.0] * devices
    for file, device in enumerate(result.worked_by):
        assert device is not None
        done[device] += works[file] / speeds[device]
    there = [result.makespan_seconds - idle for idle in result.idle_seconds]
    assert there == pytest.approx(done)
    bound = sum(works) / sum(speeds)
    limit = {"off": 3.0, "threshold": 1.05, "cost": 1.01}[policy]
    assert 1.0 <= result.makespan_seconds / bound < limit


def test_the_places_of_steals_are_those_of_files_that_the_thief_did() -> None:
    plan = [list(range(20)), [], []]
    result = simulate(known_files(list(range(1, 21))), [SimDevice()] * 3, "cost", plan=plan)
    stolen = {steal.file: steal.thief for steal in result.steals}
    assert {file: device for file, device in enumerate(result.worked_by) if device} == stolen
    assert set(chain(stolen)) < set(range(20))
