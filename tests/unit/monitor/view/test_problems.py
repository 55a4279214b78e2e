"""The problems in a frame."""

from __future__ import annotations

from monitor.model.view_model import HINT
from monitor.view.glyphs import ASCII, UNICODE
from monitor.view.problems import lines_wanted, problem_lines
from tests.support.pictures import TROUBLED, colour_of, snapshot
from virnucpro_bus.health.problems import Problem

LONG = Problem("failed 2: " + ", ".join(f"sample_{number}.fa (ValueError: unreadable)" for number in range(4)))


def lines_of(problems: tuple[Problem, ...], width: int, room: int) -> list[str]:
    return [text.plain for text in problem_lines(problems, width, room, UNICODE)]


def test_what_is_lost_is_red_with_two_marks_and_a_warning_yellow_with_one() -> None:
    shot = snapshot(8, (Problem("lost: GPU 3", is_bad=True), Problem("stale: GPU 1")))
    assert colour_of(shot, 80, "!! lost: GPU 3") == "bold red"
    assert colour_of(shot, 80, "!  stale: GPU 1") == "yellow"


def test_without_problems_a_green_line_says_so() -> None:
    assert colour_of(snapshot(8, ()), 80, "✓ no problems seen") == "green dim"


def test_a_hint_is_no_problem() -> None:
    hint = Problem("live page: http://127.0.0.1:9101/", kind=HINT)
    assert lines_of((hint,), 80, 2) == [" ✓ no problems seen", "    live page: http://127.0.0.1:9101/"]
    assert lines_of((hint,), 80, 1) == [" ✓ no problems seen"]
    assert lines_of((Problem("stale: GPU 1"), hint), 80, 2) == [" !  stale: GPU 1", f"    {hint.text}"]
    assert [lines_wanted(each, 80, UNICODE) for each in ((), (hint,), (Problem("stale"), hint))] == [1, 2, 2]


def test_problems_that_do_not_fit_are_counted() -> None:
    assert lines_of(TROUBLED, 80, 1) == [" !! lost events: 12 of 5000 (worker-1: 12)  (+7 more)"]


def test_a_long_problem_is_wrapped_between_words_if_there_are_lines_for_it() -> None:
    lines = lines_of((LONG, Problem("next")), 60, 9)
    assert len(lines) == lines_wanted((LONG, Problem("next")), 60, UNICODE) > 3
    assert lines[-1] == " !  next"
    assert all(line.startswith("    ") for line in lines[1:-1])
    assert " ".join(line[4:] for line in lines[:-1]) == LONG.text


def test_where_lines_are_few_every_problem_has_one_before_any_has_two() -> None:
    lines = lines_of((LONG, LONG, Problem("next")), 60, 4)
    assert [line[1] for line in lines] == ["!", " ", "!", "!"]
    assert lines[1].endswith("…")
    assert lines[2].endswith("…")


def test_a_word_that_is_longer_than_a_line_is_broken() -> None:
    lines = lines_of((Problem("x" * 150),), 60, 9)
    assert "".join(line[4:] for line in lines) == "x" * 150


def test_wide_characters_are_counted_as_they_are_shown() -> None:
    lines = lines_of((Problem("試料" * 40),), 31, 9)
    assert "".join(line[4:] for line in lines).rstrip("…") in "試料" * 40
    assert len(lines[0]) == 4 + 13


def test_no_problem_takes_the_room_of_all_others() -> None:
    assert lines_wanted((Problem("word " * 4000),), 60, UNICODE) == 4


def test_on_a_terminal_without_unicode_degrees_are_written_as_in_the_table() -> None:
    assert problem_lines((Problem("hot: GPU 0 91°C"),), 60, 1, ASCII)[0].plain == " !  hot: GPU 0 91C"
