from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.markup.scales import LEFT, PLOT, WIDTH, TimeScale, nice_top
from virnucpro_bus.clock import NANOSECONDS

LENGTHS = st.floats(1e-3, 1e8)


@given(seconds=LENGTHS, at=st.floats(-1e9, 1e9))
def test_every_moment_is_within_the_plot(seconds: float, at: float) -> None:
    assert LEFT <= TimeScale(0, seconds).x(at * NANOSECONDS) <= LEFT + PLOT


@given(seconds=LENGTHS)
def test_there_are_a_few_ticks_and_all_are_within_the_drawing(seconds: float) -> None:
    axis = TimeScale(0, seconds).axis(100.0)
    places = [float(x) for x in re.findall(r'x="([\d.]+)"', axis)]
    assert 1 <= len(places) <= 9
    assert all(LEFT <= x <= WIDTH for x in places)
    assert places == sorted(set(places))


def test_ticks_are_at_round_times() -> None:
    assert re.findall(r">([^<]+)</text>", TimeScale(0, 100.0).axis(10.0)) == [
        *("0 s", "15.0 s", "30.0 s", "45.0 s", "1m00s", "1m15s", "1m30s"),
    ]


def test_several_runs_count_from_their_own_start() -> None:
    early, late = TimeScale(0, 60.0), TimeScale(5_000 * NANOSECONDS, 60.0)
    assert early.x(30 * NANOSECONDS) == late.x(5_030 * NANOSECONDS)


@pytest.mark.parametrize(("value", "top"), [(0.0, 1), (0.07, 0.08), (99.0, 100), (101.0, 150), (650.0, 800)])
def test_an_axis_ends_at_a_round_figure(value: float, top: float) -> None:
    assert nice_top(value) == pytest.approx(top)


@given(st.floats(1e-9, 1e15))
def test_an_axis_holds_its_greatest_figure(value: float) -> None:
    assert value <= nice_top(value) * 1.001
    assert nice_top(value) <= value * 1.7
