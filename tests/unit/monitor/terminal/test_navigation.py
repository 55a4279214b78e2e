"""How keys move the view, and when it moves by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.selection import SORTS, ViewOptions
from monitor.terminal.keys import Key
from monitor.terminal.navigation import PICTURES_A_PAGE, Navigation


def after(pictures: int, steering: Navigation, pages: int = 3) -> Navigation:
    for _ in range(pictures):
        steering = steering.after_picture(pages)
    return steering


def test_the_page_turns_after_so_many_pictures_of_it_and_begins_again() -> None:
    pages = [after(pictures, Navigation()).options.page for pictures in range(3 * PICTURES_A_PAGE + 1)]
    assert pages == [0] * PICTURES_A_PAGE + [1] * PICTURES_A_PAGE + [2] * PICTURES_A_PAGE + [0]


def test_where_all_fits_nothing_turns() -> None:
    assert after(100, Navigation(), pages=1) == Navigation()


@pytest.mark.parametrize("key", [Key.NEXT_PAGE, Key.PREVIOUS_PAGE, Key.SORT])
def test_once_a_key_was_pressed_nothing_turns_by_itself(key: Key) -> None:
    moved = Navigation().pressed(key)
    assert after(100, moved) == moved


def test_keys_turn_one_page_either_way() -> None:
    assert Navigation().pressed(Key.NEXT_PAGE).pressed(Key.NEXT_PAGE).options.page == 2
    assert Navigation().pressed(Key.PREVIOUS_PAGE).options.page == -1


def test_the_orders_come_one_after_the_other_each_from_its_first_page() -> None:
    steering = Navigation(ViewOptions("queue", page=4, devices=frozenset({"0"})))
    seen = []
    for _ in SORTS:
        steering = steering.pressed(Key.SORT)
        seen.append((steering.options.sort, steering.options.page))
        assert steering.options.devices == frozenset({"0"})
    assert seen == [("device", 0), ("utilization", 0), ("queue", 0)]


@given(
    keys=st.lists(st.sampled_from([key for key in Key if key not in (Key.NEXT_PAGE, Key.PREVIOUS_PAGE, Key.SORT)]))
)
def test_other_keys_move_nothing(keys: list[Key]) -> None:
    steering = Navigation()
    for key in keys:
        steering = steering.pressed(key)
    assert steering == Navigation()
