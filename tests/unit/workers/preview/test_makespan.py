"""How long a run is expected to take at measured speeds."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.effect.speeds import Phase, Speed
from workers.preview import makespan
from workers.preview.makespan import Work, expect_makespan
from workers.preview.past_speeds import PastSpeeds
from workers.schedule.plan import assign


def speeds(*rates: float, error: float = 0.0, fixed: int = 0, noise: float = 0.0, gap: float = 0.0) -> PastSpeeds:
    by_key = {f"cpu:{number}": Speed((Phase(0, rate),), error, True) for number, rate in enumerate(rates)}
    return PastSpeeds(by_key, fixed, noise, gap)


def work(costs: Sequence[int], devices: int, policy: str) -> Work:
    keys = [f"cpu:{number}" for number in range(devices)]
    return Work(costs, assign(costs, [1.0] * devices), keys, [1.0] * devices, policy, 0.0)


def test_at_certain_speeds_it_is_what_the_longest_device_takes() -> None:
    assert expect_makespan(work([40, 30, 20], 2, "off"), speeds(10.0, 10.0)) == pytest.approx((5.0, 5.0, 5.0))


def test_stealing_moves_files_of_a_slow_device() -> None:
    costs = [10] * 12
    assert expect_makespan(work(costs, 2, "off"), speeds(30.0, 10.0)).seconds == pytest.approx(6.0)
    assert expect_makespan(work(costs, 2, "cost"), speeds(30.0, 10.0)).seconds == pytest.approx(3.0)


def test_every_file_has_a_fixed_cost_and_a_gap_passes_between_two() -> None:
    found = expect_makespan(work([10, 10, 10], 1, "cost"), speeds(10.0, fixed=5, gap=2.0))
    assert found.seconds == pytest.approx(3 * 1.5 + 2 * 2.0)
    # Another session may lose no time between files, or twice as much.
    assert (found.least, found.greatest) == pytest.approx((4.5, 12.5))


def test_the_range_is_the_wider_the_less_the_speeds_are_known() -> None:
    known, doubtful = (expect_makespan(work([10] * 8, 2, "cost"), speeds(1.0, 1.0, error=e)) for e in (0.01, 0.2))
    assert known.seconds == doubtful.seconds
    assert doubtful.least < known.least < known.seconds < known.greatest < doubtful.greatest


@given(costs=st.lists(st.integers(1, 100), min_size=20, max_size=60),
       rates=st.lists(st.floats(1.0, 4.0), min_size=1, max_size=4), gap=st.floats(0.0, 1.0))  # fmt: skip
def test_of_many_files_it_is_what_a_simulation_finds_but_for_the_last_files(
    costs: list[int], rates: list[float], gap: float
) -> None:
    files, measured = work(costs, len(rates), "cost"), speeds(*rates, gap=gap)
    simulated = expect_makespan(files, measured).seconds
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(makespan, "MAX_SIMULATED", 0)
        computed = expect_makespan(files, measured).seconds
    longest = 2 * (max(costs) / min(rates) + gap)
    assert computed - longest <= simulated <= computed + longest
