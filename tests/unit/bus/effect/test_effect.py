"""What stealing has done for a run that is over, figured out from its events alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.driven_coordinator import ready
from tests.support.effects import do, effect_after, planned, told
from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.events.vocabulary import STARTING, Device
from virnucpro_bus.metrics import Effect
from virnucpro_bus.testing import Script
from workers.schedule.policy_registry import POLICIES
from workers.whatif.simulator import SimDevice, SimFile, simulate

STEALING = [name for name in POLICIES if name != "off"]
# Multiples of 15 take whole seconds at these speeds: who comes first is not left to how a time is rounded.
costs = st.lists(st.integers(1, 100).map(lambda n: 15 * n), min_size=1, max_size=40)
speeds = st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.5]), min_size=1, max_size=5)


@pytest.mark.parametrize("policy", STEALING)
@given(costs=costs, speeds=speeds)
def test_without_stealing_is_exactly_what_the_simulator_says_of_the_same_files_with_policy_off(
    policy: str, costs: list[int], speeds: list[float]
) -> None:
    effect = effect_after(costs, speeds, policy)
    alone = simulate([SimFile(cost, cost) for cost in costs], [SimDevice(speed) for speed in speeds], "off")
    # A victim that has completed nothing has no rate; then nothing but 1:1 can be supposed.
    if all(effect["finish_seconds"].values()):
        assert effect["makespan_without_stealing_seconds"] == pytest.approx(alone.makespan_seconds, rel=1e-6)


@given(costs=costs, speeds=speeds)
def test_of_a_run_without_stealing_it_is_the_makespan_itself(costs: list[int], speeds: list[float]) -> None:
    effect = effect_after(costs, speeds, "off")
    assert effect["makespan_without_stealing_seconds"] == effect["makespan_seconds"]
    assert (effect["saved_seconds"], effect["moves"], effect["steals"]) == (0, 0, [])


@pytest.mark.parametrize("policy", STEALING)
@given(costs=costs, speeds=speeds)
def test_no_run_ends_before_the_lower_bound(policy: str, costs: list[int], speeds: list[float]) -> None:
    effect = effect_after(costs, speeds, policy)
    bound, makespan = effect["lower_bound_seconds"], effect["makespan_seconds"]
    assert bound is not None
    assert makespan is not None
    if all(effect["finish_seconds"].values()):
        assert makespan >= bound * (1 - 1e-6)


@given(costs=costs, speeds=speeds)
def test_each_device_is_busy_or_idle_until_the_end(costs: list[int], speeds: list[float]) -> None:
    effect = effect_after(costs, speeds)
    files, devices = [SimFile(cost, cost) for cost in costs], [SimDevice(speed) for speed in speeds]
    simulated = simulate(files, devices, "threshold")
    assert effect["makespan_seconds"] == pytest.approx(simulated.makespan_seconds, rel=1e-6)
    assert list(effect["idle_seconds"].values()) == pytest.approx(list(simulated.idle_seconds), rel=1e-6, abs=1e-6)
    for key, idle in effect["idle_seconds"].items():
        assert idle + effect["busy_seconds"][key] == pytest.approx(effect["makespan_seconds"])


def test_nothing_is_faster_than_the_biggest_file_on_the_fastest_device() -> None:
    assert effect_after([100, 10, 10], [1.0, 2.0])["lower_bound_seconds"] == pytest.approx(50.0)
    assert effect_after([100, 90, 110], [1.0, 2.0])["lower_bound_seconds"] == pytest.approx(100.0)


def test_a_thief_twice_as_fast_would_have_left_twice_the_time_to_the_victim() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0", "c": "cpu:1"})
    do(script, "cpu:1", "c", 5.0)
    do(script, "cpu:1", "b", 5.0, stolen_from="cpu:0")
    script.say("worker-0", ev.FileStarted("cpu:0", "a", 1))
    script.say("worker-0", ev.FileCompleted("cpu:0", "a", 1, 1, 10.0))
    script.say("coordinator", ev.RunFinished(0, 3, 0))
    effect = told(script)
    assert effect["makespan_seconds"] == 10.0
    assert effect["makespan_without_stealing_seconds"] == 20.0
    assert effect["lower_bound_seconds"] == pytest.approx(10.0)
    assert effect["above_bound_percent"] == pytest.approx(0.0, abs=1e-6)
    assert (effect["saved_seconds"], effect["moves"]) == (10.0, 1)
    assert [steal["saved_seconds"] for steal in effect["steals"]] == [10.0]


def test_a_slow_thief_that_held_the_last_big_file_has_lost_time() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0", "c": "cpu:1"})
    do(script, "cpu:0", "a", 5.0)
    do(script, "cpu:1", "b", 20.0, stolen_from="cpu:0")
    do(script, "cpu:1", "c", 20.0)
    script.say("coordinator", ev.RunFinished(0, 3, 0))
    effect = told(script)
    (steal,) = effect["steals"]
    assert (steal["source_gpu"], steal["dest_gpu"], steal["file_name"]) == ("cpu:0", "cpu:1", "b")
    assert steal["saved_seconds"] == pytest.approx(5.0 + 5.0 - 25.0)


def test_what_lies_between_two_files_would_have_come_to_the_victim_too() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0", "c": "cpu:1", "d": "cpu:1"})
    do(script, "cpu:1", "c", 5.0)
    script.clock.advance(1.0)
    do(script, "cpu:1", "b", 5.0, stolen_from="cpu:0")
    script.clock.advance(1.0)
    do(script, "cpu:1", "d", 5.0)
    script.say("worker-0", ev.FileStarted("cpu:0", "a", 1))
    script.say("worker-0", ev.FileCompleted("cpu:0", "a", 1, 1, 17.0))
    script.say("coordinator", ev.RunFinished(0, 4, 0))
    effect = told(script)
    # A second between each two of the three files of cpu:1, of whose size cpu:0 does one in 17 s.
    assert effect["makespan_without_stealing_seconds"] == pytest.approx(17.0 + 17.0 + 1.0)
    # cpu:1 was done with it long before cpu:0 would have begun: no more than its own time is saved.
    assert [steal["saved_seconds"] for steal in effect["steals"]] == [pytest.approx(17.0 + 1.0)]


def test_a_steal_that_came_to_nothing_does_not_count_as_a_move() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:1"})
    script.say("worker-1", ev.WorkStolen("cpu:1", "cpu:0", "a", 1, script.clock.wall_ns()))
    lost = ev.WorkerLost("cpu:1", "worker-1", 1, "was killed", "a", 1, "cpu:0", script.clock.wall_ns())
    script.say("coordinator", lost)
    do(script, "cpu:0", "a", 5.0)
    assert told(script)["moves"] == 0


def the_late_one_is_robbed(*, starts_after: float | None) -> Effect:
    """cpu:0 is ready so late that cpu:1, as fast, has done both files of both by then."""
    script = Script()
    devices = (Device("cpu:0"), Device("cpu:1"))
    script.say("coordinator", ev.RunStarted("job", "threshold", devices, 4))
    for device, names in zip(devices, ("ab", "cd"), strict=True):
        files = tuple(ev.PlannedFile(name, 10, 10) for name in names)
        script.say("coordinator", ev.FilesAssigned(device.key, files))
    for slot, device in enumerate(devices):
        script.say(f"worker-{slot}", ev.WorkerStarted(device, 100))
    script.say("worker-0", ev.Heartbeat("cpu:0", STARTING, 0, 0, 0, 0, 0))
    script.say("worker-1", ready(devices[1]), after_seconds=1.0)
    began = script.clock.mono_ns()
    for name in "cd":
        do(script, "cpu:1", name, 1.0)
    for name in "ab":
        do(script, "cpu:1", name, 1.0, stolen_from="cpu:0")
    if starts_after is not None:
        script.clock.mono = began + int(starts_after * NANOSECONDS)
        script.say("worker-0", ready(devices[0]))
    script.say("coordinator", ev.RunFinished(0, 4, 0))
    return told(script)


def test_a_device_without_a_file_could_have_begun_its_own_when_it_was_ready() -> None:
    effect = the_late_one_is_robbed(starts_after=5.0)
    assert effect["makespan_seconds"] == 4.0
    assert effect["makespan_without_stealing_seconds"] == pytest.approx(5.0 + 2.0)
    assert effect["saved_seconds"] == pytest.approx(3.0)
    # Each of the two alone: its owner would have begun and ended with it, later than its thief ended with it.
    assert [steal["saved_seconds"] for steal in effect["steals"]] == pytest.approx([1.0, 1.0])


def test_a_device_that_was_robbed_and_never_ready_leaves_unknown_what_would_have_been() -> None:
    effect = the_late_one_is_robbed(starts_after=None)
    assert effect["makespan_expected_seconds"] == 4.0
    assert (effect["makespan_without_stealing_seconds"], effect["saved_seconds"]) == (None, None)
    # It was not ready when all was done, at 4 s, and would then have had to do 2 s of work.
    assert effect["makespan_without_stealing_range"] == pytest.approx((6.0, None))
    assert effect["saved_range"] == pytest.approx((2.0, None))
    assert [steal["saved_seconds"] for steal in effect["steals"]] == [None, None]


def test_a_device_without_anything_to_do_changes_nothing_however_late_it_was_ready() -> None:
    script = planned({"a": "cpu:0"}, loading=["cpu:1"])
    do(script, "cpu:0", "a", 5.0)
    script.say("worker-1", ready(Device("cpu:1")), after_seconds=50.0)
    script.say("coordinator", ev.RunFinished(0, 1, 0))
    effect = told(script)
    assert effect["makespan_without_stealing_seconds"] == effect["makespan_seconds"] == 5.0
