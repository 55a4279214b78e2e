"""What stealing has done, and will have done, for a run that goes on; who was busy, and when."""

from __future__ import annotations

import pytest

from tests.support.effects import do, effect_after, planned, told
from virnucpro_bus import events as ev


def test_what_waits_is_expected_to_be_shared_out_among_all_devices() -> None:
    effect = effect_after([10] * 12, [1.0, 3.0], until_seconds=15.0)
    assert effect["makespan_seconds"] == 15.0
    assert effect["makespan_expected_seconds"] == pytest.approx(30.0, rel=0.1)
    assert effect["makespan_without_stealing_seconds"] == pytest.approx(60.0)
    assert effect["lower_bound_seconds"] == pytest.approx(30.0)


def test_without_stealing_what_waits_is_expected_to_stay_where_it_is() -> None:
    effect = effect_after([10] * 12, [1.0, 3.0], "off", until_seconds=15.0)
    assert effect["makespan_expected_seconds"] == pytest.approx(60.0)
    assert effect["makespan_without_stealing_seconds"] == pytest.approx(60.0)


def test_what_waits_is_not_expected_to_take_as_long_as_the_file_in_hand() -> None:
    assert effect_after([1000, 900, 1], [1.0], until_seconds=1800.0)["makespan_expected_seconds"] == (
        pytest.approx(1901.0)
    )


def test_nothing_is_expected_sooner_than_the_biggest_waiting_file_can_be_done_by_one_device() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:1", "c": "cpu:1"})
    do(script, "cpu:0", "a", 10.0)
    do(script, "cpu:1", "b", 10.0)
    assert told(script)["makespan_expected_seconds"] == pytest.approx(30.0)


@pytest.mark.parametrize(("policy", "expected"), [("off", 40.0 + 30.0), ("threshold", 31.0 + 30.0)])
def test_a_device_that_takes_too_long_for_a_file_is_taken_to_have_become_as_slow(
    policy: str, expected: float
) -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0", "c": "cpu:0", "d": "cpu:1"}, policy=policy)
    do(script, "cpu:0", "a", 1.0)
    script.say("worker-0", ev.FileStarted("cpu:0", "b", 1))
    do(script, "cpu:1", "d", 30.0)
    # 10 units a second before, it now has 10 in hand for 30 s, and for 9 s more. The next takes 30 s again; so it
    # would on the other device, which can begin at once.
    effect = told(script)
    assert effect["makespan_seconds"] == 31.0
    assert effect["makespan_expected_seconds"] == pytest.approx(expected)


def test_a_file_that_takes_longer_than_expected_is_expected_to_take_three_tenths_of_its_time_longer() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0"})
    do(script, "cpu:0", "a", 10.0)
    script.say("worker-0", ev.FileStarted("cpu:0", "b", 1))
    script.clock.advance(10.0)
    assert told(script)["makespan_expected_seconds"] == pytest.approx(20.0)
    script.clock.advance(10.0)
    assert told(script)["makespan_expected_seconds"] == pytest.approx(30.0 + 6.0)


def test_a_device_that_is_slow_at_its_file_does_not_raise_the_lower_bound() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0", "c": "cpu:1"})
    do(script, "cpu:0", "a", 10.0)
    script.say("worker-0", ev.FileStarted("cpu:0", "b", 1))
    before = told(script)["lower_bound_seconds"]
    script.clock.advance(500.0)
    assert told(script)["lower_bound_seconds"] == before


def test_a_stolen_file_in_hand_would_be_done_by_its_owner_after_its_own() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0", "c": "cpu:1"})
    do(script, "cpu:1", "c", 10.0)
    script.say("worker-1", ev.WorkStolen("cpu:1", "cpu:0", "b", 1, script.clock.wall_ns()))
    script.say("worker-1", ev.FileStarted("cpu:1", "b", 1))
    script.say("worker-0", ev.FileStarted("cpu:0", "a", 1), after_seconds=5.0)
    script.say("worker-0", ev.FileCompleted("cpu:0", "a", 1, 1, 15.0))
    effect = told(script)
    # 10 s of cpu:1, of which 5 have gone by, are 15 s of cpu:0, which has just done its own.
    assert effect["makespan_expected_seconds"] == pytest.approx(20.0)
    assert effect["makespan_without_stealing_seconds"] == pytest.approx(15.0 + 15.0)
    assert [steal["saved_seconds"] for steal in effect["steals"]] == [None]


def test_what_a_steal_has_saved_depends_on_what_its_owner_still_has_to_do() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0", "c": "cpu:0", "d": "cpu:1"})
    do(script, "cpu:0", "a", 5.0)
    do(script, "cpu:1", "d", 5.0)
    do(script, "cpu:1", "b", 5.0, stolen_from="cpu:0")
    # At 15 s: its owner was free at 5, has 5 s of its own to do, and would have had 5 more for this file.
    assert [steal["saved_seconds"] for steal in told(script)["steals"]] == [pytest.approx(5.0 + 5.0 + 5.0 - 15.0)]


@pytest.mark.parametrize("is_lost", [False, True])
def test_what_waits_is_shared_out_among_those_who_live(is_lost: bool) -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0", "c": "cpu:0", "d": "cpu:1"})
    do(script, "cpu:0", "a", 10.0)
    do(script, "cpu:1", "d", 10.0)
    if is_lost:
        script.say("coordinator", ev.WorkerLost("cpu:1", "worker-1", 1, "was killed"))
    assert told(script)["makespan_expected_seconds"] == pytest.approx(20.0 + (20.0 if is_lost else 10.0))


def test_the_tail_begins_when_the_first_device_has_nothing_to_do() -> None:
    assert effect_after([40, 10], [1.0, 1.0])["tail_seconds"] == pytest.approx(30.0)
    assert effect_after([40, 10], [1.0, 1.0], until_seconds=25.0)["tail_seconds"] == pytest.approx(15.0)
    assert effect_after([40, 10], [1.0, 1.0], until_seconds=5.0)["tail_seconds"] == 0.0


def test_a_balance_of_one_is_perfect_and_of_half_is_one_of_two_devices_doing_everything() -> None:
    even, uneven = effect_after([10, 10], [1.0, 1.0]), effect_after([10], [1.0, 1.0])
    assert (even["jain_index"], even["max_over_mean_finish"]) == pytest.approx((1.0, 1.0))
    assert (uneven["jain_index"], uneven["max_over_mean_finish"]) == pytest.approx((0.5, 2.0))
    assert uneven["idle_seconds"] == {"cpu:0": 0.0, "cpu:1": 10.0}
