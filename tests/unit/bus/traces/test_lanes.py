"""How overlapping intervals are put side by side."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.traces.lanes import in_lanes


class Span(NamedTuple):
    start_ns: int
    end_ns: int


spans = st.builds(
    lambda start, length: Span(start, start + length), st.integers(0, 30), st.sampled_from([0, 1, 3, 20])
)


@given(st.lists(spans))
def test_each_interval_is_in_one_lane_and_those_of_a_lane_do_not_overlap(given_spans: list[Span]) -> None:
    lanes = in_lanes(given_spans)
    assert sorted(span for lane in lanes for span in lane) == sorted(given_spans)
    for lane in lanes:
        assert all(before.end_ns <= after.start_ns for before, after in pairwise(lane))


@given(st.lists(spans, min_size=1))
def test_there_are_only_as_many_lanes_as_intervals_at_one_moment(given_spans: list[Span]) -> None:
    at_once = max(
        sum(other.start_ns <= span.start_ns < max(other.end_ns, other.start_ns + 1) for other in given_spans)
        for span in given_spans
    )
    assert len(in_lanes(given_spans)) <= at_once


def test_the_first_lane_is_used_again_as_soon_as_it_is_free() -> None:
    first, second, third = Span(0, 10), Span(5, 30), Span(10, 20)
    assert in_lanes([third, second, first]) == [[first, third], [second]]
