"""Scales and axes: where a moment or a figure is in a drawing, and which ticks a reader expects there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from monitor.markup.html import Markup, element, join, number
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.units import duration

WIDTH = 960.0
"""Of a drawing, in pixels at its natural size."""
LEFT, RIGHT = 118.0, 26.0
"""The margins beside the plot: for the names of rows, and for the last tick."""
PLOT = WIDTH - LEFT - RIGHT
AXIS_HEIGHT = 20.0
"""Below a plot, for the ticks of the time axis."""
TEXT_DROP = 4.0
"""From the middle of a line of text to its base line."""
_TICKS = 8
_STEPS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400),
)


@dataclass(frozen=True)
class TimeScale:
    """Maps moments to x. Several runs share the length, and each counts from its own start."""

    start_ns: int
    seconds: float
    """What the width of the plot stands for; more than 0."""

    @property
    def pixels_per_ns(self) -> float:
        """How far the plot goes in a nanosecond."""
        return PLOT / self.seconds / NANOSECONDS

    def x(self, at_ns: float) -> float:
        """Where a moment is, within the plot."""
        return LEFT + min(max((at_ns - self.start_ns) * self.pixels_per_ns, 0.0), PLOT)

    def edges_ns(self, parts: int) -> list[int]:
        """The limits of equal parts of the time."""
        step = self.seconds * NANOSECONDS / parts
        return [self.start_ns + round(at * step) for at in range(parts + 1)]

    def axis(self, bottom: float) -> Markup:
        """Grid lines from the top to `bottom`, and the times below."""
        lines, texts = [], []
        for at in self._ticks():
            x = number(LEFT + at / self.seconds * PLOT)
            lines.append(f"M{x} 0V{number(bottom)}")
            texts.append(
                element("text", duration(at), class_="dim", x=x, y=bottom + AXIS_HEIGHT - 5, text_anchor="middle")
            )
        return join([element("path", class_="grid", d="".join(lines)), texts])

    def _ticks(self) -> Iterator[float]:
        step = next((each for each in _STEPS if self.seconds / each <= _TICKS), None)
        if step is None:
            step = 86_400 * math.ceil(self.seconds / 86_400 / _TICKS)
        for at in range(math.floor(self.seconds / step + 1e-9) + 1):
            yield at * step


def nice_top(value: float) -> float:
    """The end of an axis that holds `value`: 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        (each * power for each in (1, 1.5, 2, 3, 4, 5, 6, 8) if each * power >= value * 0.9999), 10 * power
    )
