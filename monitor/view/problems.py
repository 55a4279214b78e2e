"""The problems in a frame: whole sentences, as far as there is room. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from monitor.model.view_model import HINT, NOTICE
from monitor.view.glyphs import MARGIN, Glyphs
from virnucpro_bus.health.problems import Problem

MOST_LINES, MOST_LINES_OF_NOTICE = 4, 2
"""The most lines that one problem may take, and one notice, of which there may be many."""
LEAST_CELLS = 8
_MARK_CELLS = 3


def problem_lines(problems: Sequence[Problem], width: int, room: int, glyphs: Glyphs) -> list[Text]:
    """Return the problems in at most `room` lines, or 1; the last line counts the problems that do not fit.

    Each problem has one line; the first ones share the remaining lines, so that less of them is cut.
    """
    fine: list[Text] = []
    if all(problem.kind == HINT for problem in problems):
        fine, room = [Text(f"{MARGIN}{glyphs.fine} no problems seen", "green dim")], room - 1
        if room < 1 or not problems:
            return fine
    shown = problems[: max(1, room)]
    spare, hidden = max(1, room) - len(shown), len(problems) - len(shown)
    lines: list[Text] = []
    for index, problem in enumerate(shown, start=1):
        more = f"  (+{hidden} more)" if hidden and index == len(shown) else ""
        mark, style = ("!!", "bold red") if problem.is_bad else ("!", "yellow")
        if problem.kind == HINT:
            mark, style = "", "dim"
        first, *others = _wrapped(problem, width - len(more), 1 + spare, glyphs)
        spare -= len(others)
        texts = [f"{mark:{_MARK_CELLS}}{first}", *(" " * _MARK_CELLS + other for other in others)]
        texts[-1] += more
        lines += [Text(MARGIN + text, style) for text in texts]
    return fine + lines


def lines_wanted(problems: Sequence[Problem], width: int, glyphs: Glyphs) -> int:
    """Return how many lines all problems need."""
    is_fine = all(problem.kind == HINT for problem in problems)
    return is_fine + sum(len(_wrapped(problem, width, MOST_LINES, glyphs)) for problem in problems)


def _wrapped(problem: Problem, width: int, lines: int, glyphs: Glyphs) -> list[str]:
    cells = max(LEAST_CELLS, width - 2 * len(MARGIN) - _MARK_CELLS)
    most = MOST_LINES_OF_NOTICE if problem.kind == NOTICE else MOST_LINES
    return glyphs.wrap(glyphs.text(problem.text), cells, min(most, lines))
