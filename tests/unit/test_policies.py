"""When an idle device takes a file from another one's queue, and whose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.errors import UserError
from workers.policies import policy_by_name

depths = st.lists(st.integers(0, 12), min_size=1, max_size=8)


@given(depths, st.data())
def test_off_never_steals(depths: list[int], data: st.DataObject) -> None:
    thief = data.draw(st.integers(0, len(depths) - 1))
    assert policy_by_name("off").victim(depths, thief) is None


@given(depths, st.data())
def test_threshold_takes_from_the_first_longest_queue_when_that_holds_three(
    depths: list[int], data: st.DataObject
) -> None:
    thief = data.draw(st.integers(0, len(depths) - 1))
    depths[thief] = 0
    expected = depths.index(max(depths)) if max(depths) >= 3 else None
    assert policy_by_name("threshold").victim(depths, thief) == expected


@pytest.mark.parametrize(
    ("thief", "longest", "steals"),
    [(0, 2, False), (0, 3, True), (1, 3, True), (2, 3, False), (2, 4, False), (2, 5, True), (5, 7, False)],
)
def test_threshold_weighs_the_longest_queue_against_the_thiefs(thief: int, longest: int, steals: bool) -> None:
    assert policy_by_name("threshold").victim([thief, longest], 0) == (1 if steals else None)


def test_an_unknown_policy_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserError, match="unknown policy 'greedy': choose one of off, threshold"):
        policy_by_name("greedy")
