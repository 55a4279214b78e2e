"""When an idle device steals a file, and out of which queue: `off` and `threshold`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.errors import UserError
from workers.schedule.policy import Policy, ThresholdPolicy
from workers.schedule.policy_registry import POLICIES, make_policy
from workers.schedule.queues import Choice, DeviceQueues

depths = st.lists(st.integers(0, 8), min_size=1, max_size=8)


def queues_of(depths: list[int]) -> DeviceQueues:
    """Queues of these depths; the files are numbered from the first device on."""
    starts = [sum(depths[:device]) for device in range(len(depths))]
    return DeviceQueues([range(start, start + depth) for start, depth in zip(starts, depths, strict=True)])


def policy(name: str, queues: DeviceQueues) -> Policy:
    made = make_policy(name, [1] * sum(queues.depths()), [1.0] * len(queues.depths()))
    made.on_queues_changed(queues)
    return made


@pytest.mark.parametrize("name", POLICIES)
@given(depths=depths, data=st.data())
def test_with_any_policy_a_device_gets_the_biggest_of_its_own_files(
    name: str, depths: list[int], data: st.DataObject
) -> None:
    device = data.draw(st.integers(0, len(depths) - 1))
    depths[device] += 1
    queues = queues_of(depths)
    assert policy(name, queues).choose(queues, device, 0.0) == Choice(device, sum(depths[:device]))


@given(depths, st.data())
def test_off_never_steals(depths: list[int], data: st.DataObject) -> None:
    thief = data.draw(st.integers(0, len(depths) - 1))
    depths[thief] = 0
    queues = queues_of(depths)
    assert policy("off", queues).choose(queues, thief, 0.0) is None


@given(depths, st.data())
def test_threshold_takes_the_biggest_of_the_first_longest_queue_when_that_holds_three(
    depths: list[int], data: st.DataObject
) -> None:
    thief = data.draw(st.integers(0, len(depths) - 1))
    depths[thief] = 0
    queues = queues_of(depths)
    victim = depths.index(max(depths))
    expected = Choice(victim, sum(depths[:victim])) if max(depths) >= 3 else None
    assert policy("threshold", queues).choose(queues, thief, 0.0) == expected


def test_with_an_interval_a_device_steals_again_only_when_that_has_passed() -> None:
    queues = queues_of([0, 9, 0])
    interval = ThresholdPolicy(3, interval_seconds=3.0)
    interval.on_started(0, 8, 1, now_seconds=10.0)
    assert interval.choose(queues, 0, 12.9) is None
    assert interval.retry_at(0, 12.9) == 13.0
    assert interval.choose(queues, 0, 13.0) == Choice(1, 0)
    assert interval.choose(queues, 2, 12.9) == Choice(1, 0)


def test_an_interval_does_not_keep_a_device_from_its_own_files() -> None:
    interval = ThresholdPolicy(2, interval_seconds=3.0)
    interval.on_started(0, 0, 1, now_seconds=10.0)
    assert interval.choose(queues_of([1, 9]), 0, 10.0) == Choice(0, 0)


def test_an_unknown_policy_is_refused_with_a_list_of_policies() -> None:
    with pytest.raises(UserError, match="unknown policy 'greedy': choose one of off, threshold, cost"):
        make_policy("greedy", [], [1.0])


@pytest.mark.parametrize("name", ["off", "cost"])
def test_an_interval_is_refused_with_a_policy_that_has_none(name: str) -> None:
    with pytest.raises(
        UserError, match=f"--steal-interval: works only .* threshold, not with {name}; leave it out"
    ):
        make_policy(name, [], [1.0], steal_interval_seconds=3.0)
