"""Frames: goldens, how their lines are shared out, and what must hold at every size.

Update the golden files with:  UPDATE_GOLDENS=1 .venv/bin/pytest tests/unit/monitor/view
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from monitor.model.selection import ViewOptions
from monitor.view.frame import frame, pages
from monitor.view.glyphs import ASCII
from tests.support.pictures import (
    ALL,
    IN_TROUBLE,
    KEYS,
    LOADING,
    ON_CPUS,
    ONE_MODEL,
    SIMULATED,
    TROUBLED,
    WITH_EFFECT,
    assert_golden,
    plain,
    snapshot,
)
from virnucpro_bus.display_names import SORTS
from virnucpro_bus.health.problems import Problem

pytestmark = pytest.mark.usefixtures("utc")


@pytest.mark.parametrize("height", [10, 24, 60])
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_eight_devices_look_as_they_should(width: int, height: int) -> None:
    assert_golden(f"8-devices-{width}x{height}", plain(IN_TROUBLE, width, height))


@pytest.mark.parametrize(("width", "height"), [(40, 10), (100, 30)])
def test_eight_devices_look_as_they_should_on_terminals_of_other_sizes(width: int, height: int) -> None:
    assert_golden(f"8-devices-{width}x{height}", plain(IN_TROUBLE, width, height))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (120, 40)])
def test_devices_of_one_model_look_as_they_should_with_a_word_on_the_keys(width: int, height: int) -> None:
    assert_golden(f"one-model-with-keys-{width}x{height}", plain(ONE_MODEL, width, height, keys=KEYS))


@pytest.mark.parametrize("name", [name for name in ALL if name != "8-devices"])
def test_other_fleets_look_as_they_should_at_80_by_24(name: str) -> None:
    assert_golden(f"{name}-80x24", plain(ALL[name], 80, 24))


def test_a_device_that_loads_says_for_how_long_where_there_is_a_column_of_states() -> None:
    assert_golden("loading-200x24", plain(LOADING, 200, 24))


@pytest.mark.parametrize(("width", "height"), [(120, 40), (200, 60)])
def test_64_devices_look_as_they_should_on_bigger_terminals(width: int, height: int) -> None:
    assert_golden(f"64-devices-{width}x{height}", plain(snapshot(64), width, height))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("page-2", ViewOptions(page=1)),
        ("last-page", ViewOptions(page=-1)),
        ("by-utilization", ViewOptions(sort="utilization")),
        ("by-queue", ViewOptions(sort="queue")),
        ("some-devices", ViewOptions(devices=frozenset({"3", "GPU-00000017"}))),
    ],
)
def test_64_devices_look_as_they_should_with_other_options(name: str, options: ViewOptions) -> None:
    assert_golden(f"64-devices-{name}-80x24", plain(snapshot(64), 80, 24, options))


OPTIONS = st.builds(
    ViewOptions,
    sort=st.sampled_from(SORTS),
    page=st.integers(-100, 100),
    devices=st.none() | st.frozensets(st.integers(0, 70).map(str), max_size=5),
)


@given(width=st.integers(1, 250), height=st.integers(1, 80), devices=st.integers(0, 70), options=OPTIONS)
def test_a_frame_fits_any_terminal(width: int, height: int, devices: int, options: ViewOptions) -> None:
    shot = replace(WITH_EFFECT, rows=snapshot(devices).rows, health=TROUBLED)
    texts = frame(shot, width, height, options=options)
    assert len(texts) <= height
    assert all(cell_len(text.plain) <= width for text in texts)
    assert all("\n" not in text.plain for text in texts)


@given(
    height=st.integers(7, 100),
    devices=st.integers(0, 70),
    sort=st.sampled_from(SORTS),
    keys=st.sampled_from(["", KEYS]),
)
def test_the_pages_together_show_every_device_once(height: int, devices: int, sort: str, keys: str) -> None:
    shot = snapshot(devices)
    seen: list[str] = []
    for page in range(pages(shot, 80, height, keys=keys)):
        picture = plain(shot, 80, height, ViewOptions(sort, page), keys=keys)
        assert "\n   TOTAL " in picture
        seen += [text[3:9].strip() for text in picture.splitlines() if text[1:7] in MARKED]
    assert sorted(seen) == sorted(f"GPU {index}" for index in range(devices))


MARKED = {f"{mark} GPU " for mark in "●○×?!"}


@given(page=st.integers(-(2**70), 2**70))
def test_any_number_is_a_page(page: int) -> None:
    count = pages(snapshot(64), 80, 24)
    assert count > 1
    assert plain(snapshot(64), 80, 24, ViewOptions(page=page)) == plain(
        snapshot(64), 80, 24, ViewOptions(page=page % count)
    )


def test_a_frame_of_unlimited_height_has_one_page_of_everything() -> None:
    assert pages(snapshot(64), 80, None) == 1
    assert "GPU 63" in plain(snapshot(64), 80, None)


@pytest.mark.parametrize("height", [3, 5, 10, 60])
@pytest.mark.parametrize("width", [12, 40, 80, 200])
def test_made_up_figures_are_labelled_at_every_size(width: int, height: int) -> None:
    assert "SIMULATED" in plain(SIMULATED, width, height)
    assert "SIMULATED" not in plain(snapshot(), width, height)


def test_a_terminal_without_unicode_gets_ascii_alone() -> None:
    odd = replace(snapshot(8, (Problem("é"),)), title="試料")
    assert all(text.plain.isascii() for text in frame(odd, 200, 60, ASCII))


def test_what_is_wrong_stands_above_the_steals_so_that_it_stays_where_it_is_as_they_come() -> None:
    places = [
        plain(replace(IN_TROUBLE, steals=IN_TROUBLE.steals[:steals]), 80, 40).splitlines().index(HOT)
        for steals in (0, 1, 12)
    ]
    assert places == [places[0]] * 3


HOT = " !! hot: GPU 1 92°C, GPU 5 92°C"


def test_problems_get_the_lines_that_rows_and_two_steals_leave() -> None:
    few = plain(replace(IN_TROUBLE, rows=IN_TROUBLE.rows[:5]), 100, 24)
    assert few.count(" !") >= len(TROUBLED)
    assert "more)" not in few
    assert few.count(" <- ") == 2


def test_where_all_rows_are_wanted_problems_still_have_their_share() -> None:
    picture = plain(replace(snapshot(64), health=TROUBLED), 80, 24)
    assert len([text for text in picture.splitlines() if text.startswith(" !")]) == 24 // 8
    assert "(+5 more)" in picture


def test_steals_get_all_the_lines_that_are_left() -> None:
    many = replace(snapshot(8), steals=snapshot(8).steals * 4)
    assert (
        plain(many, 200, 60).count(" <- ") == 60 - len(plain(replace(many, steals=()), 200, 60).splitlines()) - 2
    )


def test_a_picture_that_is_printed_has_no_more_than_eight_steals() -> None:
    assert plain(snapshot(8), 80, None).count(" <- ") == 8


def test_keys_stand_on_the_last_line_of_the_screen_if_there_are_any() -> None:
    lines = plain(ON_CPUS, 80, 40, keys=KEYS).splitlines()
    assert len(lines) == 40
    assert lines[-1] == f" {KEYS}"
    assert plain(replace(snapshot(64), steals=()), 80, 24, keys=KEYS).splitlines()[-1] == f" {KEYS}"
    assert "quit" not in plain(ON_CPUS, 80, 40)
    assert "quit" not in plain(ON_CPUS, 80, None, keys=KEYS)


def test_on_a_small_screen_keys_stand_beside_the_page() -> None:
    assert f"page 1/16  {KEYS}\n" in plain(snapshot(64), 80, 10, keys=KEYS)
    assert "quit" not in plain(snapshot(4), 80, 10, keys=KEYS)


def test_if_not_all_keys_fit_the_first_ones_are_shown_whole() -> None:
    assert plain(snapshot(8), 20, 24, keys=KEYS).splitlines()[-1] == " n p page  s sort"


def test_what_does_not_fit_at_all_ends_in_an_ellipsis() -> None:
    assert frame(ON_CPUS, 8, 24)[3].plain == "   DEVI…"
    assert frame(ON_CPUS, 8, 24, ASCII)[3].plain == "   DEVI~"


@pytest.mark.parametrize("width", [30, 34, 40, 50, 60])
def test_no_figure_of_a_narrow_frame_is_cut(width: int) -> None:
    for text in frame(replace(WITH_EFFECT, steals=()), width, 24):
        assert "…" not in text.plain
