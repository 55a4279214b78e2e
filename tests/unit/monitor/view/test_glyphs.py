"""The texts that are drawn with glyphs: sparklines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from monitor.model.trends import SAMPLES_KEPT
from monitor.view.glyphs import ASCII, UNICODE

VALUES = st.lists(st.none() | st.floats(0, 1e300), max_size=2 * SAMPLES_KEPT)


def test_a_sparkline_goes_from_the_lowest_to_the_highest_bar() -> None:
    values = [0.0, 50.0, None, 100.0]
    assert UNICODE.sparkline(values, 100.0) == "▁▄·▇".rjust(SAMPLES_KEPT)
    assert ASCII.sparkline(values, 100.0) == "_- #".rjust(SAMPLES_KEPT)


def test_no_bar_is_a_full_block_because_it_would_merge_with_the_row_below() -> None:
    assert "█" not in UNICODE.bars


def test_values_of_zero_have_the_lowest_bar() -> None:
    assert UNICODE.sparkline([0.0, 0.0], 0.0).strip() == "▁▁"


@given(values=VALUES, top=st.floats(0, 1e300))
def test_every_sparkline_has_the_same_length(values: list[float | None], top: float) -> None:
    for glyphs in (UNICODE, ASCII):
        drawn = glyphs.sparkline(values, top)
        assert len(drawn) == cell_len(drawn) == SAMPLES_KEPT
