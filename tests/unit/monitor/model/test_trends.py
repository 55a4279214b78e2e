"""What is kept of the last looks, and how it is drawn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from monitor.model.trends import SAMPLES_KEPT, TrendKeeper
from monitor.model.view_model import Row, device_key
from monitor.view.glyphs import ASCII, UNICODE, sparkline
from tests.support.pictures import row

VALUES = st.lists(st.none() | st.floats(0, 1e300), max_size=2 * SAMPLES_KEPT)


def seen(index: int, compute: float | None, throughput: float | None) -> Row:
    metrics, utilization = row(index)
    return {**metrics, "throughput": throughput}, {**utilization, "compute_percent": compute}


def test_the_figures_of_the_looks_are_kept_oldest_first_and_unknown_ones_as_unknown() -> None:
    keeper = TrendKeeper()
    keeper.add([seen(0, 10.0, None), seen(1, None, 5.0)], 1.0)
    trends = keeper.add([seen(1, 30.0, 6.0), seen(0, 20.0, 1.0)], 2.0)
    first, second = (trends[device_key(row(index)[0])] for index in (0, 1))
    assert (first.compute_percents, first.throughputs) == ((10.0, 20.0), (None, 1.0))
    assert (second.compute_percents, second.throughputs) == ((None, 30.0), (5.0, 6.0))


def test_no_more_than_the_last_looks_are_kept() -> None:
    keeper = TrendKeeper()
    for number in range(SAMPLES_KEPT + 7):
        trends = keeper.add([seen(0, float(number), None)], float(number))
    (trend,) = trends.values()
    assert trend.compute_percents == tuple(float(number) for number in range(7, SAMPLES_KEPT + 7))
    assert len(trend.throughputs) == SAMPLES_KEPT


def test_a_device_that_has_gone_begins_anew_when_it_is_back() -> None:
    keeper = TrendKeeper()
    keeper.add([seen(0, 1.0, 1.0)], 1.0)
    assert keeper.add([], 2.0) == {}
    (trend,) = keeper.add([seen(0, 2.0, 2.0)], 3.0).values()
    assert trend.compute_percents == (2.0,)


def test_what_was_given_out_does_not_change_with_later_looks() -> None:
    keeper = TrendKeeper()
    before = keeper.add([seen(0, 1.0, 1.0)], 1.0)
    keeper.add([seen(0, 2.0, 2.0)], 2.0)
    (trend,) = before.values()
    assert trend.compute_percents == (1.0,)


def test_while_time_stands_still_nothing_is_added() -> None:
    keeper = TrendKeeper()
    for compute, at in ((1.0, 5.0), (2.0, 5.0), (3.0, 5.0), (4.0, 6.0)):
        trends = keeper.add([seen(0, compute, None)], at)
    (trend,) = trends.values()
    assert trend.compute_percents == (1.0, 4.0)


def test_when_time_has_gone_back_nothing_is_kept_of_what_is_yet_to_come() -> None:
    keeper = TrendKeeper()
    for compute, at in ((1.0, 5.0), (2.0, 7.0), (3.0, 6.0)):
        trends = keeper.add([seen(0, compute, None)], at)
    (trend,) = trends.values()
    assert trend.compute_percents == (3.0,)


def test_a_sparkline_goes_from_the_lowest_to_the_highest_bar() -> None:
    values = [0.0, 50.0, None, 100.0]
    assert sparkline(values, 100.0, UNICODE) == "▁▄·▇".rjust(SAMPLES_KEPT)
    assert sparkline(values, 100.0, ASCII) == "_- #".rjust(SAMPLES_KEPT)


def test_no_bar_is_a_full_block_which_would_melt_into_that_of_the_row_below() -> None:
    assert "█" not in UNICODE.bars


def test_a_device_that_does_nothing_has_the_lowest_bars() -> None:
    assert sparkline([0.0, 0.0], 0.0, UNICODE).strip() == "▁▁"


@given(values=VALUES, top=st.floats(0, 1e300))
def test_a_sparkline_is_always_as_long(values: list[float | None], top: float) -> None:
    for glyphs in (UNICODE, ASCII):
        drawn = sparkline(values, top, glyphs)
        assert len(drawn) == cell_len(drawn) == SAMPLES_KEPT
