"""Which rows stand on which page, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.paging import page_count, page_of, rows_in_view
from monitor.model.selection import ViewOptions
from tests.support.pictures import row
from virnucpro_bus.display_names import SORTS
from virnucpro_bus.health.problems import needs_attention
from virnucpro_bus.health.rows import Row

STATES = st.lists(st.sampled_from(["busy", "idle", "lost", "silent"]), max_size=60)


def fleet(*states: str) -> list[Row]:
    return [row(index, state) for index, state in enumerate(states)]


def with_figures(index: int, compute: float | None, queue: int | None) -> Row:
    metrics, utilization = row(index)
    return {**metrics, "queue_depth": queue}, {**utilization, "compute_percent": compute}


def ids(rows: list[Row] | tuple[Row, ...]) -> list[Any]:
    return [metrics["device_id"] for metrics, _ in rows]


FIGURES = [
    with_figures(0, None, 3),
    with_figures(1, 50.0, None),
    with_figures(2, 90.0, 3),
    with_figures(3, 0.0, 0),
]


@pytest.mark.parametrize(
    ("sort", "order"), [("device", [0, 1, 2, 3]), ("utilization", [2, 1, 3, 0]), ("queue", [0, 2, 3, 1])]
)
def test_the_greatest_comes_first_the_unknown_last_and_equals_keep_their_order(
    sort: str, order: list[int]
) -> None:
    assert ids(list(rows_in_view(FIGURES, ViewOptions(sort)))) == order


@given(states=STATES, room=st.integers(2, 70), sort=st.sampled_from(SORTS))
def test_the_pages_hold_every_row_once(states: list[str], room: int, sort: str) -> None:
    rows = rows_in_view(fleet(*states), ViewOptions(sort))
    each = [page_of(rows, room, number) for number in range(page_count(len(rows), room))]
    assert sorted(ids([row for page in each for row in page.rows])) == list(range(len(rows)))
    for page in each:
        assert len(page.rows) + bool(page.label) <= room


@given(states=STATES, room=st.integers(-5, 70), number=st.integers())
def test_any_number_is_a_page_and_any_room_is_kept(states: list[str], room: int, number: int) -> None:
    page = page_of(fleet(*states), room, number)
    assert 0 <= page.number < page.pages
    assert len(page.rows) <= max(0, room)


@given(states=STATES, room=st.integers(2, 70))
def test_where_not_all_fit_those_in_trouble_come_before_all_others(states: list[str], room: int) -> None:
    page = page_of(fleet(*states), room, 0)
    if page.pages > 1:
        troubled = [needs_attention(row) for row in page.rows]
        assert troubled == sorted(troubled, reverse=True)
        assert sum(troubled) == min(len(page.rows), sum(map(needs_attention, fleet(*states))))


def test_the_label_of_a_page_names_its_rows() -> None:
    rows = fleet(*["busy"] * 64)
    assert page_of(rows, 15, 0).label == "rows 1-14 of 64, page 1/5"
    assert page_of(rows, 15, 4).label == "rows 57-64 of 64, page 5/5"
    assert page_of(rows, 15, 5) == page_of(rows, 15, 0)
    assert page_of(rows, 15, -1) == page_of(rows, 15, 4)


def test_rows_that_all_fit_need_no_word() -> None:
    assert page_of(fleet("busy", "busy"), 2, 0).label == ""
    assert page_of([], 0, 0).label == ""


def test_with_room_for_one_line_the_label_says_that_there_is_no_room() -> None:
    page = page_of(fleet("busy", "busy"), 1, 3)
    assert (page.rows, page.label) == ([], "no room for 2 rows")
