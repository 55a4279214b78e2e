"""How a frame tells what is wrong: in whole sentences, as far as there is room. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from monitor.model.view_model import Problem
from monitor.view.glyphs import MARGIN, Glyphs

MOST_LINES = 4
"""Of one problem."""
LEAST_CELLS = 8


def problem_lines(problems: Sequence[Problem], width: int, room: int, glyphs: Glyphs) -> list[Text]:
    """The problems in at most `room` lines (one at least), the last of which says how many are left out.

    Each has a line; what is left of the room the first ones get, so that less of them must be cut.
    """
    if not problems:
        return [Text(f"{MARGIN}{glyphs.fine} no problems seen", "green dim")]
    shown = problems[: max(1, room)]
    spare, hidden = max(1, room) - len(shown), len(problems) - len(shown)
    lines: list[Text] = []
    for index, problem in enumerate(shown, start=1):
        more = f"  (+{hidden} more)" if hidden and index == len(shown) else ""
        mark, style = ("!!", "bold red") if problem.is_bad else ("!", "yellow")
        words = _sentence(problem, width - len(more), 1 + spare, glyphs)
        spare -= len(words) - 1
        words[-1] += more
        lines += [Text(f"{MARGIN}{mark:2} {words[0]}", style)]
        lines += [Text(f"{MARGIN}   {rest}", style) for rest in words[1:]]
    return lines


def lines_wanted(problems: Sequence[Problem], width: int, glyphs: Glyphs) -> int:
    """How many lines all of it takes."""
    return sum(len(_sentence(problem, width, MOST_LINES, glyphs)) for problem in problems) or 1


def _sentence(problem: Problem, width: int, lines: int, glyphs: Glyphs) -> list[str]:
    cells = max(LEAST_CELLS, width - 2 * len(MARGIN) - 3)
    return glyphs.wrapped(glyphs.text(problem.text), cells, min(MOST_LINES, lines))
