"""What stealing has done for a run, figured out from its events alone."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagined import ImaginedRun

from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.effects import together
from virnucpro_bus.events import Device
from virnucpro_bus.fleet import FleetState
from virnucpro_bus.fleets import Fleets
from virnucpro_bus.metrics import Effect
from virnucpro_bus.streams import Steal
from virnucpro_bus.testing import Script
from virnucpro_bus.workbook import UNPLANNED_KEPT, WorkBook
from workers.policies import POLICIES
from workers.simulator import SimDevice, SimFile, simulate

STEALING = [name for name in POLICIES if name != "off"]
# Multiples of 15 take whole seconds at these speeds: who comes first is not left to how a time is rounded.
costs = st.lists(st.integers(1, 100).map(lambda n: 15 * n), min_size=1, max_size=40)
speeds = st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.5]), min_size=1, max_size=5)


def effect_after(
    costs: list[int], speeds: list[float], policy: str = "threshold", until_seconds: float = math.inf
) -> Effect:
    run = ImaginedRun(costs, speeds, policy)
    run.work(until_seconds)
    return run.fleet().get_effect()


def told(script: Script) -> Effect:
    fleet = FleetState(script.clock, local_host="node")
    fleet.feed(script.frames())
    return fleet.get_effect()


def planned(owners: dict[str, str], cost: int = 10) -> Script:
    """Two devices, and files that were given to them."""
    script = Script()
    devices = (Device("cpu:0"), Device("cpu:1"))
    script.say("coordinator", ev.RunStarted("job", "threshold", devices, len(owners)))
    for file, device in owners.items():
        script.say("coordinator", ev.FilesAssigned(device, (ev.PlannedFile(file, cost, cost),)))
    for slot, device in enumerate(devices):
        script.say(f"worker-{slot}", ev.WorkerStarted(device, 100))
    return script


def do(script: Script, device: str, file: str, seconds: float, stolen_from: str | None = None) -> None:
    """The next thing that happens is that a device does a file."""
    source = f"worker-{device[-1]}"
    if stolen_from is not None:
        script.say(source, ev.WorkStolen(device, stolen_from, file, 1, script.clock.wall_ns()))
    script.say(source, ev.FileStarted(device, file, 1))
    script.say(source, ev.FileCompleted(device, file, 1, 1, seconds), after_seconds=seconds)


# The counterfactual.


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


def test_a_steal_that_came_to_nothing_does_not_count_as_a_move() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:1"})
    script.say("worker-1", ev.WorkStolen("cpu:1", "cpu:0", "a", 1, script.clock.wall_ns()))
    lost = ev.WorkerLost("cpu:1", "worker-1", 1, "was killed", "a", 1, "cpu:0", script.clock.wall_ns())
    script.say("coordinator", lost)
    do(script, "cpu:0", "a", 5.0)
    assert told(script)["moves"] == 0


# While the run goes on.


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


def test_the_tail_begins_when_the_first_device_has_nothing_to_do() -> None:
    assert effect_after([40, 10], [1.0, 1.0])["tail_seconds"] == pytest.approx(30.0)
    assert effect_after([40, 10], [1.0, 1.0], until_seconds=25.0)["tail_seconds"] == pytest.approx(15.0)
    assert effect_after([40, 10], [1.0, 1.0], until_seconds=5.0)["tail_seconds"] == 0.0


def test_a_balance_of_one_is_perfect_and_of_half_is_one_of_two_devices_doing_everything() -> None:
    even, uneven = effect_after([10, 10], [1.0, 1.0]), effect_after([10], [1.0, 1.0])
    assert (even["jain_index"], even["max_over_mean_finish"]) == pytest.approx((1.0, 1.0))
    assert (uneven["jain_index"], uneven["max_over_mean_finish"]) == pytest.approx((0.5, 2.0))
    assert uneven["idle_seconds"] == {"cpu:0": 0.0, "cpu:1": 10.0}


# What cannot be known.


def assert_that_nothing_is_known(effect: Effect) -> None:
    figures = {name: value for name, value in effect.items() if name not in ("steals", "moves")}
    assert not any(figures.values()), figures


def test_workers_without_a_coordinator_have_no_figures_but_their_steals() -> None:
    script = Script()
    do(script, "cpu:1", "a", 5.0, stolen_from="cpu:0")
    effect = told(script)
    assert_that_nothing_is_known(effect)
    assert [(steal["file_name"], steal["saved_seconds"]) for steal in effect["steals"]] == [("a", None)]


def test_before_the_first_file_nothing_is_known() -> None:
    assert_that_nothing_is_known(told(planned({"a": "cpu:0"})))


def test_before_the_first_completion_nothing_is_expected() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0"})
    script.say("worker-0", ev.FileStarted("cpu:0", "a", 1))
    script.clock.advance(3.0)
    effect = told(script)
    assert effect["idle_seconds"] == {"cpu:0": 0.0, "cpu:1": 3.0}
    assert effect["makespan_seconds"] == 3.0
    for figure in ("makespan_expected", "makespan_without_stealing", "lower_bound", "saved"):
        assert effect[f"{figure}_seconds"] is None  # type: ignore[literal-required]


def test_files_of_unknown_size_count_as_one_each() -> None:
    script = planned(dict.fromkeys("abcd", "cpu:0"), cost=0)
    for name in "ab":
        do(script, "cpu:0", name, 2.0)
    assert told(script)["makespan_without_stealing_seconds"] == pytest.approx(8.0)


def test_a_file_that_nobody_can_do_is_not_waited_for() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0"})
    do(script, "cpu:0", "a", 2.0)
    script.say("worker-0", ev.FileFailed("cpu:0", "b", 1, "not FASTA", 1.0), after_seconds=1.0)
    effect = told(script)
    assert effect["makespan_expected_seconds"] == effect["makespan_seconds"] == 3.0
    assert effect["busy_seconds"]["cpu:0"] == 3.0


def test_a_plan_that_comes_after_what_it_plans_is_as_good() -> None:
    run = ImaginedRun([30, 20, 20, 10, 10, 10], [1.0, 2.0], "threshold")
    run.work()
    said = run.script.envelopes
    late = FleetState(run.script.clock, local_host=run.host)
    for envelope in sorted(said, key=lambda each: isinstance(each.event, ev.FilesAssigned)):
        late.apply(envelope)
    assert late.get_effect() == run.fleet().get_effect()


def test_a_run_that_goes_on_counts_from_where_it_does() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0"})
    do(script, "cpu:0", "a", 50.0)
    script.clock.advance(1000.0)
    devices = (Device("cpu:0"), Device("cpu:1"))
    script.say("coordinator", ev.RunStarted("job", "threshold", devices, 2), epoch=2)
    script.say("coordinator", ev.FilesAssigned("cpu:0", (ev.PlannedFile("b", 10, 10),)), epoch=2)
    script.say("worker-0", ev.FileStarted("cpu:0", "b", 1), epoch=2)
    script.say("worker-0", ev.FileCompleted("cpu:0", "b", 1, 1, 7.0), epoch=2, after_seconds=7.0)
    effect = told(script)
    assert effect["makespan_seconds"] == effect["makespan_expected_seconds"] == 7.0
    assert effect["busy_seconds"] == {"cpu:0": 7.0, "cpu:1": 0.0}


def test_what_was_done_and_stolen_before_a_run_was_resumed_is_of_no_account_when_it_is_done_again() -> None:
    script = planned({"a": "cpu:0", "b": "cpu:0"})
    do(script, "cpu:1", "a", 50.0, stolen_from="cpu:0")
    devices = (Device("cpu:0"), Device("cpu:1"))
    script.say("coordinator", ev.RunStarted("job", "threshold", devices, 2), epoch=2, after_seconds=9.0)
    files = tuple(ev.PlannedFile(name, 10, 10) for name in "ab")
    script.say("coordinator", ev.FilesAssigned("cpu:1", files), epoch=2)
    do(script, "cpu:1", "b", 5.0)
    assert told(script)["makespan_expected_seconds"] == pytest.approx(10.0)
    do(script, "cpu:1", "a", 5.0)
    effect = told(script)
    assert (effect["makespan_expected_seconds"], effect["moves"]) == (10.0, 0)


@given(data=st.data())
def test_of_what_is_told_twice_of_a_file_the_later_counts_whatever_came_first(data: st.DataObject) -> None:
    early, late = Steal(1, "cpu:1", "cpu:0", "a", 1), Steal(2, "cpu:2", "cpu:0", "a", 2)
    book = WorkBook()
    told = [
        lambda: book.complete("a", 10, 1.0, "cpu:1"),
        lambda: book.complete("a", 20, 2.0, "cpu:2"),
        lambda: book.steal(early),
        lambda: book.steal(late),
        lambda: book.assign("cpu:0", (ev.PlannedFile("a", 1, 1), ev.PlannedFile("b", 1, 5))),
        lambda: book.assign("cpu:1", (ev.PlannedFile("a", 1, 2),)),
    ]
    looked_at = data.draw(st.sets(st.integers(0, len(told))))
    for number, add in enumerate(data.draw(st.permutations(told))):
        if number in looked_at:
            book.sums(0)
        add()
    sums = book.sums(0)
    assert list(sums.files()) == [("cpu:1", 2, (20, 2.0, "cpu:2"))]
    assert {key: left.work for key, left in sums.left(()).items() if left.files} == {"cpu:0": 5}
    assert {key: tally.files for key, tally in sums.tallies.items()} == {"cpu:2": 1}
    assert (sums.latest, list(sums.moved)) == ([late], [("cpu:2", "cpu:0")])


def test_where_nobody_plans_memory_does_not_grow_for_ever_and_a_late_plan_is_of_no_use() -> None:
    book = WorkBook()
    for number in range(UNPLANNED_KEPT + 5):
        book.complete(f"{number}.fa", number, 1.0, "cpu:0")
    assert (len(book.files), book.passed_over) == (UNPLANNED_KEPT, 5)
    book.assign("cpu:0", (ev.PlannedFile("1.fa", 1, 1),))
    fleet = FleetState(ManualClock())
    script = planned({"1.fa": "cpu:0"})
    fleet.feed(script.frames())
    (host,) = fleet._hosts.values()
    host.ledger._book = book
    assert_that_nothing_is_known(fleet.get_effect())


# Several runs.


def test_of_several_buses_the_longest_run_counts_and_idle_time_adds_up() -> None:
    runs = [ImaginedRun([10, 10, 20], speeds, "threshold") for speeds in ([1.0, 1.0], [0.5, 0.5])]
    for run in runs:
        run.work()
    fast, slow = (run.fleet() for run in runs)
    both = Fleets({"fast": fast, "slow": slow}).get_effect()
    for figure in ("makespan", "makespan_without_stealing", "lower_bound", "tail"):
        assert both[f"{figure}_seconds"] == slow.get_effect()[f"{figure}_seconds"]  # type: ignore[literal-required]
    assert both["idle_seconds"] == {
        key: fast.get_effect()["idle_seconds"][key] + idle
        for key, idle in slow.get_effect()["idle_seconds"].items()
    }


def test_a_host_without_a_run_does_not_hide_the_one_that_has_one() -> None:
    known = effect_after([10, 10, 20], [1.0, 1.0])
    assert together([told(Script()), known]) == known


def test_of_nothing_at_all_nothing_is_known() -> None:
    assert_that_nothing_is_known(together([]))


# Whatever is said.


few_files = st.sampled_from(["a", "b", "c", "d"])
few_devices = st.sampled_from(["cpu:0", "cpu:1", "cpu:2"])
extreme_counts = st.sampled_from([0, 1, 7, 2**63 - 1])
extreme_seconds = st.sampled_from([0.0, 5e-324, 1e-12, 1.5, 1e12])
extreme_facts = st.one_of(
    st.builds(
        ev.RunStarted, st.just("job"), st.sampled_from(["off", "cost"]), st.just((Device("cpu:0"),)), st.just(4)
    ),
    st.builds(
        ev.FilesAssigned,
        few_devices,
        st.tuples(st.builds(ev.PlannedFile, few_files, extreme_counts, extreme_counts)),
    ),
    st.builds(ev.FileStarted, few_devices, few_files, st.just(1)),
    st.builds(ev.FileCompleted, few_devices, few_files, st.just(1), st.just(1), extreme_seconds),
    st.builds(ev.FileFailed, few_devices, few_files, st.just(1), st.just("bad"), extreme_seconds, st.booleans()),
    st.builds(ev.WorkStolen, few_devices, few_devices, few_files, st.just(1), extreme_counts),
    st.builds(ev.RunFinished, st.just(0), st.just(1), st.just(1)),
)


@given(
    said=st.lists(st.tuples(st.sampled_from(["coordinator", "w0", "w1", "w2"]), extreme_facts), max_size=25),
    pauses=st.lists(st.sampled_from([0.0, 1e-9, 3.0, 1e9]), min_size=25, max_size=25),
)
@settings(max_examples=400, deadline=None)
def test_whatever_is_said_every_figure_is_a_number_or_unknown_and_none_is_below_zero(
    said: list[tuple[str, ev.Fact]], pauses: list[float]
) -> None:
    script = Script()
    for (source, fact), pause in zip(said, pauses, strict=False):
        script.say(source, fact, after_seconds=pause)
    fleet = FleetState(script.clock, local_host="node")
    fleet.feed(script.frames())
    effect = fleet.get_effect()
    json.dumps(effect, allow_nan=False)
    for name, value in effect.items():
        for each in value.values() if isinstance(value, dict) else [value]:
            assert name in ("saved_seconds", "above_bound_percent", "steals") or each is None or each >= 0


def test_a_book_whose_columns_do_not_belong_together_is_refused() -> None:
    with pytest.raises(ValueError, match="as files"):
        WorkBook(files=["a.fa"])
    with pytest.raises(ValueError, match="as files"):
        WorkBook(assigned=[("cpu:0", ["a.fa"], [])])
