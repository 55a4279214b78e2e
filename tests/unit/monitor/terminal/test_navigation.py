"""How keys move the view, and when it moves by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.selection import ScreenKind, ViewOptions
from monitor.terminal.keys import Key
from monitor.terminal.navigation import PICTURES_A_PAGE, Navigation
from virnucpro_bus.display_names import SORTS


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


OF_REPLAYS = (Key.PAUSE, Key.FORWARD, Key.BACK, Key.FASTER, Key.SLOWER)
DEVICES = [("node1", "", key) for key in ("GPU-a", "GPU-b", "GPU-c")]


def typed(*keys: Key) -> Navigation:
    steering = Navigation()
    for key in keys:
        steering = steering.pressed(key, DEVICES)
    return steering


@given(keys=st.lists(st.sampled_from(OF_REPLAYS)))
def test_keys_of_a_replay_move_nothing(keys: list[Key]) -> None:
    assert typed(*keys) == Navigation()


@pytest.mark.parametrize(
    ("key", "screen"),
    [
        (Key.HELP, ScreenKind.HELP),
        (Key.FILES, ScreenKind.FILES),
        (Key.LOGS, ScreenKind.LOGS),
        (Key.EFFECT, ScreenKind.EFFECT),
    ],
)
def test_a_key_opens_a_screen_at_its_first_page_and_leads_back(key: Key, screen: ScreenKind) -> None:
    opened = typed(Key.NEXT_PAGE, key)
    assert (opened.options.screen, opened.options.page) == (screen, 0)
    for back in (key, Key.ESCAPE, Key.QUIT):
        left = opened.pressed(back)
        assert (left.options.screen, left.has_quit) == (ScreenKind.OVERVIEW, False)


def test_q_quits_where_there_is_nothing_to_go_back_to() -> None:
    assert typed(Key.QUIT).has_quit
    assert not typed(Key.ESCAPE).has_quit


def test_arrows_choose_a_device_and_enter_shows_it() -> None:
    assert [typed(*[Key.DOWN] * count).options.chosen for count in range(5)] == [None, *DEVICES, DEVICES[0]]
    assert typed(Key.UP).options.chosen == DEVICES[-1]
    shown = typed(Key.DOWN, Key.DOWN, Key.OPEN).options
    assert (shown.screen, shown.chosen) == (ScreenKind.DEVICE, DEVICES[1])


def test_on_the_screen_of_a_device_arrows_show_the_next_one() -> None:
    assert typed(Key.OPEN).options.chosen == DEVICES[0]
    shown = typed(Key.OPEN, Key.DOWN).options
    assert (shown.screen, shown.chosen) == (ScreenKind.DEVICE, DEVICES[1])


def test_on_other_screens_arrows_turn_the_page() -> None:
    assert typed(Key.LOGS, Key.DOWN, Key.DOWN, Key.UP).options.page == 1
    assert typed(Key.LOGS, Key.DOWN).options.chosen is None


def test_without_a_device_enter_opens_nothing() -> None:
    assert Navigation().pressed(Key.OPEN).options == ViewOptions()


def test_escape_and_another_page_leave_the_chosen_device() -> None:
    assert typed(Key.DOWN, Key.ESCAPE).options.chosen is None
    assert typed(Key.DOWN, Key.NEXT_PAGE).options.chosen is None


def test_a_chosen_device_that_is_gone_is_followed_by_the_first() -> None:
    assert typed(Key.DOWN).pressed(Key.DOWN, DEVICES[1:]).options.chosen == DEVICES[1]
