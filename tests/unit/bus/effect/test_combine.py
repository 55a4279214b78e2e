"""What stealing has done for several runs as a whole."""

from __future__ import annotations

import pytest

from tests.support.effects import assert_that_nothing_is_known, do, effect_after, planned, told
from tests.support.simulated_runs import ImaginedRun
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.effect.combine import combine
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.metrics import Effect
from virnucpro_bus.testing import Script


def test_of_several_buses_the_longest_run_counts_and_idle_time_adds_up() -> None:
    runs = [ImaginedRun([10, 10, 20], speeds, "threshold") for speeds in ([1.0, 1.0], [0.5, 0.5])]
    for run in runs:
        run.work()
    fast, slow = (run.fleet() for run in runs)
    both = FleetGroup({"fast": fast, "slow": slow}).get_effect()
    for figure in ("makespan", "makespan_without_stealing", "lower_bound", "tail"):
        assert both[f"{figure}_seconds"] == slow.get_effect()[f"{figure}_seconds"]  # type: ignore[literal-required]
    assert both["idle_seconds"] == {
        key: fast.get_effect()["idle_seconds"][key] + idle
        for key, idle in slow.get_effect()["idle_seconds"].items()
    }


def ended(device: str, costs: list[int]) -> FleetState:
    """A run on one device of this key, that has ended."""
    script = planned({f"{number}": device for number in range(len(costs))})
    for number, seconds in enumerate(costs):
        do(script, device, f"{number}", float(seconds))
    script.say("coordinator", ev.RunFinished(0, len(costs), 0))
    fleet = FleetState(script.clock, local_host="node")
    fleet.feed(script.frames())
    return fleet


@pytest.mark.parametrize("first", ["short", "long"])
def test_devices_of_the_same_key_are_several_whatever_run_comes_first(first: str) -> None:
    runs = {"short": ended("cpu:0", [10]), "long": ended("cpu:0", [90])}
    second = "long" if first == "short" else "short"
    both = FleetGroup({first: runs[first], second: runs[second]}).get_effect()
    assert both["busy_seconds"] == {"cpu:0": 100.0, "cpu:1": 0.0}
    assert both["idle_seconds"] == {"cpu:0": 0.0, "cpu:1": 100.0}
    assert both["finish_seconds"] == {"cpu:0": 90.0, "cpu:1": 0.0}
    assert both["jain_index"] == pytest.approx(100.0**2 / (4 * (10.0**2 + 90.0**2)))
    assert both["max_over_mean_finish"] == pytest.approx(90.0 / 25.0)


def test_hosts_of_one_bus_and_of_another_one_count_alike() -> None:
    hosts = [effect_after([10, 10, 20], speeds) for speeds in ([1.0, 1.0], [0.5, 0.5], [2.0, 1.0])]
    one = FleetState(ManualClock())
    one.get_effects = lambda: hosts[:2]  # type: ignore[method-assign]
    other = FleetState(ManualClock())
    other.get_effects = lambda: hosts[2:]  # type: ignore[method-assign]
    assert FleetGroup({"one": one, "other": other}).get_effect() == combine(hosts)


def test_moves_and_steals_are_those_of_all_runs_and_what_is_expected_is_that_of_the_longest() -> None:
    runs = [effect_after([10] * 24, speeds, until_seconds=60.0) for speeds in ([1.0, 2.0], [1.0, 3.0])]
    both = combine(runs)
    assert all(run["moves"] for run in runs)
    assert both["moves"] == sum(run["moves"] for run in runs)
    assert len(both["steals"]) == sum(len(run["steals"]) for run in runs)
    assert both["makespan_expected_seconds"] == max(run["makespan_expected_seconds"] or 0.0 for run in runs)


def test_the_range_of_the_longest_of_several_runs_holds_whichever_that_is() -> None:
    known = effect_after([10] * 24, [1.0, 2.0], until_seconds=60.0)
    one: Effect = {**known, "makespan_expected_range": (70.0, 90.0)}
    other: Effect = {**known, "makespan_expected_range": (50.0, 100.0)}
    assert combine([one, other])["makespan_expected_range"] == (70.0, 100.0)
    assert combine([one, {**other, "makespan_expected_range": None}])["makespan_expected_range"] is None


@pytest.mark.parametrize("figure", ["makespan_expected", "makespan_without_stealing", "lower_bound"])
def test_what_is_unknown_of_one_run_that_has_begun_is_unknown_of_all(figure: str) -> None:
    known = effect_after([10, 10, 20], [1.0, 1.0])
    one: Effect = {**known, f"{figure}_seconds": None}  # type: ignore[misc]
    assert combine([known, one])[f"{figure}_seconds"] is None  # type: ignore[literal-required]


def test_a_host_without_a_run_does_not_hide_the_one_that_has_one() -> None:
    known = effect_after([10, 10, 20], [1.0, 1.0])
    assert combine([told(Script()), known]) == known


def test_of_nothing_at_all_nothing_is_known() -> None:
    assert_that_nothing_is_known(combine([]))
