"""What stealing has done for several runs as a whole."""

from __future__ import annotations

from imagined import ImaginedRun
from told_effects import assert_that_nothing_is_known, effect_after, told

from virnucpro_bus.effects import together
from virnucpro_bus.fleets import Fleets
from virnucpro_bus.testing import Script


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
