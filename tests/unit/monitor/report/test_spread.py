from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.report.spread import spread

EDGES = list(range(0, 101, 10))
SPANS = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 100), st.floats(0, 1e6)).map(
        lambda each: (min(each[:2]), max(each[:2]), each[2])
    ),
    max_size=20,
)


def slowly(spans: list[tuple[int, int, float]]) -> list[float]:
    """The same, part by part."""

    def share(start: int, end: int, first: int, stop: int) -> float:
        if start == end:
            return float(first < start <= stop or (start == first == 0))
        return max(0, min(end, stop) - max(start, first)) / (end - start)

    return [
        sum(amount * share(start, end, first, first + 10) for start, end, amount in spans) for first in EDGES[:-1]
    ]


@given(SPANS)
def test_amounts_are_spread_evenly_from_start_to_end(spans: list[tuple[int, int, float]]) -> None:
    moving = [each for each in spans if each[0] < each[1]]
    assert spread(moving, EDGES) == pytest.approx(slowly(moving), abs=1e-3, rel=1e-6)


@given(SPANS.map(lambda spans: [each for each in spans if each[0] > 0]))
def test_nothing_is_lost_and_nothing_is_added(spans: list[tuple[int, int, float]]) -> None:
    assert sum(spread(spans, EDGES)) == pytest.approx(sum(amount for *_, amount in spans), abs=1e-3, rel=1e-6)


def test_what_lies_outside_of_the_edges_is_left_out() -> None:
    assert sum(spread([(90, 110, 8.0), (-10, 10, 6.0), (200, 300, 5.0)], EDGES)) == pytest.approx(4.0 + 3.0)
