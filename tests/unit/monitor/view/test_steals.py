"""What a frame says of stealing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.model.view_model import ViewModel
from monitor.view.glyphs import UNICODE
from monitor.view.steals import effect_line
from tests.support.pictures import WITH_EFFECT, colour_of, plain, snapshot
from virnucpro_bus.effect.combine import unknown_effect
from virnucpro_bus.metrics import StealEffect

pytestmark = pytest.mark.usefixtures("utc")


LONGEST = " stealing: 12 steals, saved 3m12s (2m57s to 3m28s) of 14m05s (13m50s to 14m21s)"


def line_of(shot: ViewModel, width: int) -> str:
    return "".join(text.plain for text in effect_line(shot, width, UNICODE))


def test_a_frame_with_little_room_leaves_out_what_stealing_has_done() -> None:
    told = " stealing: 12 steals, saved 3m12s (2m57s to 3m28s) of 14m05s (13m50s to 14m21s)\n"
    assert told in plain(WITH_EFFECT, 80, 24)
    assert "stealing:" not in plain(WITH_EFFECT, 80, 10)


@pytest.mark.parametrize(
    ("width", "told"),
    [
        (123, f"{LONGEST}, 1.7 % (0.9 to 2.6 %) above the lower bound"),
        (122, LONGEST),
        (79, LONGEST),
        (78, " stealing: 12 steals"),
    ],
)
def test_what_does_not_fit_is_left_out_whole(width: int, told: str) -> None:
    assert line_of(WITH_EFFECT, width) == told


def test_without_a_known_effect_there_is_no_line_about_stealing() -> None:
    assert line_of(snapshot(), 80) == ""
    assert line_of(replace(snapshot(), effect=unknown_effect()), 80) == ""


def test_without_a_steal_the_line_says_so_in_place_of_a_count() -> None:
    assert WITH_EFFECT.effect is not None
    unmoved = replace(
        WITH_EFFECT,
        effect={**WITH_EFFECT.effect, "moves": 0},
        totals={**WITH_EFFECT.totals, "steals": 0},
    )
    assert line_of(unmoved, 80) == " stealing: no file stolen, 1.7 % (0.9 to 2.6 %) above the lower bound"


def test_where_no_file_was_stolen_and_nothing_else_is_known_there_is_no_line() -> None:
    known = {**unknown_effect(), "makespan_seconds": 3.0}
    assert line_of(replace(WITH_EFFECT, effect=known), 80) == ""  # type: ignore[arg-type]


def test_a_steal_is_shown_with_its_result_if_that_is_known() -> None:
    picture = plain(WITH_EFFECT, 120, 60)
    assert " 22:14:23 GPU 4 <- GPU 1 sample_9.fa saved 14.2 s (12.0 s to 16.5 s)\n" in picture
    assert " 22:14:30 GPU 7 <- GPU 2 sample_10.fa\n" in picture
    assert " 22:14:37 GPU 2 <- GPU 3 sample_11.fa lost 3.0 s (2.0 s to 4.0 s)\n" in picture


def test_a_steal_that_may_as_well_have_saved_time_has_no_colour() -> None:
    assert WITH_EFFECT.effect is not None
    steals: list[StealEffect] = [
        {**steal, "saved_seconds": -0.04, "saved_range": (-0.1, 0.1)} for steal in WITH_EFFECT.effect["steals"]
    ]
    unclear = replace(WITH_EFFECT, effect={**WITH_EFFECT.effect, "steals": steals})
    assert colour_of(unclear, 120, "lost 40 ms") == "dim"


def test_steals_whose_file_no_thief_has_are_in_the_line_too() -> None:
    more = replace(WITH_EFFECT, totals={**WITH_EFFECT.totals, "steals": 14})
    assert line_of(more, 120).startswith(" stealing: 12 of 14 steals, saved 3m12s")


def test_a_steal_that_has_lost_time_is_yellow() -> None:
    assert colour_of(WITH_EFFECT, 120, "lost 3.0 s") == "yellow"
    assert colour_of(WITH_EFFECT, 120, "saved 14.2 s") == "dim"


def test_while_no_more_files_are_handed_out_there_is_no_forecast_of_them() -> None:
    draining = replace(WITH_EFFECT, draining_reason="SIGTERM")
    assert line_of(draining, 120) == line_of(WITH_EFFECT, 120).partition(",")[0]
    assert line_of(replace(draining, is_over=True), 120) == line_of(replace(WITH_EFFECT, is_over=True), 120)
