"""Which of its own files a device does first under the policy `cost`."""

from __future__ import annotations

from workers.schedule.policy_registry import make_policy
from workers.schedule.queues import Choice, DeviceQueues
from workers.whatif.simulator import SimDevice, SimFile, simulate


def test_a_device_measured_as_slow_leaves_a_big_file_to_one_that_does_it_sooner() -> None:
    """Its first file took 50 s; the rest of the run is expected to take 18 s, and its next file 45 s."""
    costs = [10, 10, 10, 10, 10, 10, 10, 9, 1, 1, 1]
    plan = [[0, 7, 8, 9, 10], [1, 2, 3, 4, 5, 6]]
    slow_and_fast = [SimDevice(0.2), SimDevice(1.0)]
    result = simulate([SimFile(cost, cost) for cost in costs], slow_and_fast, "cost", plan=plan)
    assert (result.worked_by[7], result.makespan_seconds) == (1, 69.0)


def test_where_nothing_smaller_is_in_time_it_does_the_big_file_itself() -> None:
    """To wait for the other one could be to wait for ever."""
    costs = [10, 10, 10, 10, 10, 10, 10, 9]
    plan = [[0, 7], [1, 2, 3, 4, 5, 6]]
    slow_and_fast = [SimDevice(0.2), SimDevice(1.0)]
    result = simulate([SimFile(cost, cost) for cost in costs], slow_and_fast, "cost", plan=plan)
    assert result.worked_by[7] == 0


def held_ahead(costs: list[int], plan: list[list[int]], device: int, seconds_per_unit: float) -> list[int]:
    """The files that a device is to hold ahead, as it begins its second one; the other is at its first."""
    queues = DeviceQueues(plan)
    policy = make_policy("cost", costs, [1.0, 1.0])
    policy.on_queues_changed(queues)

    def start(number: int, now: float) -> int:
        choice = policy.choose(queues, number, now)
        assert choice is not None
        queues.remove(*choice)
        policy.on_started(number, choice.file, choice.owner, now)
        return choice.file

    start(1 - device, 0.0)
    seconds = costs[start(device, 0.0)] * seconds_per_unit
    policy.on_finished(device, seconds, seconds)
    start(device, seconds)
    held = []
    for choice in policy.choose_ahead(queues, device, seconds):
        queues.hand_ahead(device, choice)
        held.append(choice.file)
    return held


def test_a_device_holds_ahead_what_ends_within_half_of_the_time_that_the_rest_takes() -> None:
    """The rest takes 11 s, the file that it has begun takes 1 s, and each of these four."""
    assert held_ahead([1] * 24, [list(range(0, 24, 2)), list(range(1, 24, 2))], 0, 1.0) == [4, 6, 8, 10]


def test_what_is_stolen_ahead_is_what_the_device_would_steal_once_it_is_free() -> None:
    """Now it would steal the big one: 4 s later, when it is free, that one would end the run later."""
    assert held_ahead([9, 9, 4, 4, *[1] * 7], [[2, 3], [0, 1, *range(4, 11)]], 0, 1.0) == [4, 5]


def test_a_file_that_takes_more_than_that_is_held_ahead_by_no_device() -> None:
    assert held_ahead([9, 9, 9, 9, 9], [[0, 1, 2], [3, 4]], 0, 1.0) == []


def test_a_device_of_which_only_the_weight_is_known_begins_with_its_biggest_file() -> None:
    costs, weights = [100, 5, 1], [0.1, 1.0]
    queues = DeviceQueues([[0, 1, 2], []])
    policy = make_policy("cost", costs, weights)
    policy.on_queues_changed(queues)
    assert policy.choose(queues, 0, 0.0) == Choice(0, 0)
