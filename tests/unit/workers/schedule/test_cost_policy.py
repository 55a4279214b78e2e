"""Which of its own files a device does first under the policy `cost`."""

from __future__ import annotations

from workers.schedule.policy import Choice
from workers.schedule.policy_registry import make_policy
from workers.schedule.queues import DeviceQueues
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


def test_a_device_of_which_only_the_weight_is_known_begins_with_its_biggest_file() -> None:
    costs, weights = [100, 5, 1], [0.1, 1.0]
    queues = DeviceQueues([[0, 1, 2], []])
    policy = make_policy("cost", costs, weights)
    policy.on_queues_changed(queues)
    assert policy.choose(queues, 0, 0.0) == Choice(0, 0)
