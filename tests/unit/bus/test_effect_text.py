"""The effect of stealing in words."""

from __future__ import annotations

import pytest

from virnucpro_bus.effect.combine import unknown_effect
from virnucpro_bus.effect_text import STEALS_SHOWN, effect_parts, gain, report_paragraph, sentence
from virnucpro_bus.metrics import Effect, Range, StealEffect

KNOWN: Effect = {
    **unknown_effect(),
    "makespan_seconds": 653.0,
    "makespan_expected_seconds": 653.0,
    "makespan_without_stealing_seconds": 845.0,
    "lower_bound_seconds": 642.0,
    "above_bound_percent": 1.7,
    "saved_seconds": 192.0,
    "moves": 41,
    "idle_seconds": {"cpu:0": 3.0},
    "busy_seconds": {"cpu:0": 650.0},
    "finish_seconds": {"cpu:0": 653.0},
    "loading_seconds": {"cpu:0": 84.0},
}


def steal(number: int, saved_seconds: float | None) -> StealEffect:
    return {
        "timestamp": 1.7e9 + number,
        "source_gpu": 0,
        "dest_gpu": "cpu:1",
        "file_name": f"{number}\x1b[2J.fa",
        "host": "node",
        "saved_seconds": saved_seconds,
        "saved_range": None,
    }


def test_all_of_it_is_one_sentence() -> None:
    assert sentence(KNOWN) == "41 steals, saved 3m12s of 14m05s, 1.7 % above the lower bound"


def test_time_that_was_lost_is_called_so() -> None:
    assert sentence({**KNOWN, "saved_seconds": -12.0, "moves": 1, "above_bound_percent": None}) == (
        "1 steal, lost 12.0 s of 14m05s"
    )


def test_what_is_only_expected_is_not_told_as_done() -> None:
    going: Effect = {**KNOWN, "makespan_seconds": 600.0}
    assert sentence(going) == "41 steals, will save 3m12s of 14m05s, 1.7 % above the lower bound"
    assert sentence({**going, "saved_seconds": -12.0, "above_bound_percent": None}) == (
        "41 steals, will lose 12.0 s of 14m05s"
    )


def test_a_range_that_is_known_is_told() -> None:
    likely: Effect = {
        **KNOWN,
        "makespan_without_stealing_range": (830.0, 861.0),
        "saved_range": (177.0, 208.0),
        "above_bound_range": (-0.4, 2.6),
    }
    assert sentence(likely) == (
        "41 steals, saved 3m12s (2m57s to 3m28s) of 14m05s (13m50s to 14m21s), "
        "1.7 % (0.0 to 2.6 %) above the lower bound"
    )


@pytest.mark.parametrize(
    ("saved", "likely", "told"),
    [
        (2.0, (1.0, 3.0), "saved 2.0 s (1.0 s to 3.0 s)"),
        (2.0, (1.99, 2.01), "saved 2.0 s"),
        (-2.0, (-3.0, -1.0), "lost 2.0 s (1.0 s to 3.0 s)"),
        (2.0, (-1.0, 3.0), "saved 2.0 s (lost 1.0 s to saved 3.0 s)"),
        (None, (2.0, None), "saved at least 2.0 s"),
        (None, None, "n/a"),
    ],
)
def test_what_was_saved_is_told_as_well_as_it_is_known(
    saved: float | None, likely: Range | None, told: str
) -> None:
    assert gain(saved, likely) == told


def test_where_no_file_was_stolen_nothing_was_saved() -> None:
    assert sentence({**KNOWN, "saved_seconds": 0.0, "moves": 0}) == "no file stolen, 1.7 % above the lower bound"


def test_of_nothing_known_there_is_no_sentence_and_every_figure_is_unknown() -> None:
    assert sentence(unknown_effect()) is None
    told = report_paragraph(unknown_effect())
    assert told.splitlines()[0].split(maxsplit=1)[1] == "unknown: no file was started, or the plan is incomplete"
    assert told.count("n/a") == 7


def test_loading_is_told_by_itself_even_before_there_is_anything_else_to_tell() -> None:
    words = "1m24s (of all workers; before the first file it is in no other figure, after that it is in idle)"
    assert f"loading              {words}" in report_paragraph(KNOWN)
    early = report_paragraph({**unknown_effect(), "loading_seconds": {"cpu:0": 80.0, "cpu:1": 4.0}})
    assert f"loading              {words}" in early
    assert ["cpu:1", "n/a", "n/a", "n/a", "4.0", "s"] in [line.split() for line in early.splitlines()]
    assert "loading" not in report_paragraph(unknown_effect())


def test_each_device_and_the_latest_steals_are_told_and_no_name_drives_the_terminal() -> None:
    steals = [steal(number, 14.2 if number % 2 else None) for number in range(STEALS_SHOWN + 5)]
    told = report_paragraph({**KNOWN, "steals": steals})
    assert ["cpu:0", "10m50s", "3.0", "s", "10m53s", "1m24s"] in [line.split() for line in told.splitlines()]
    assert f"steals (the last {STEALS_SHOWN} of {STEALS_SHOWN + 5})" in told
    assert "cpu:1 <- 0  24" in told
    assert "  4\x1b" not in told
    assert "\x1b" not in told
    assert told.count("saved 14.2 s") == told.count(".fa  n/a") == STEALS_SHOWN // 2


@pytest.mark.parametrize(
    ("bound_seconds", "percent", "likely", "is_said"),
    [
        (642.0, 1.7, (0.9, 2.6), True),
        (642.0, 1.7, (0.0, 5.0), False),  # nobody knows
        (0.3, 60.0, None, False),  # a run of less than a second
        (18.0, 4.8, (4.4, 5.1), False),
    ],
)
def test_the_distance_from_the_bound_is_said_where_it_is_more_than_chance(
    bound_seconds: float, percent: float, likely: tuple[float, float] | None, is_said: bool
) -> None:
    effect: Effect = {
        **KNOWN,
        "lower_bound_seconds": bound_seconds,
        "above_bound_percent": percent,
        "above_bound_range": likely,
    }
    assert ("above the lower bound" in (sentence(effect) or "")) == is_said


def test_steals_that_the_effect_does_not_count_are_told_apart_from_those_that_it_does() -> None:
    effect: Effect = {**unknown_effect(), "makespan_seconds": 60.0, "moves": 3}
    assert [effect_parts(effect, steals)[0] for steals in (None, 3, 4)] == [
        "3 steals",
        "3 steals",
        "3 of 4 steals",
    ]
    assert effect_parts({**effect, "moves": 0}, 1) == ["0 of 1 steal"]
    assert effect_parts({**effect, "moves": 0}, 0) == ["no file stolen"]
