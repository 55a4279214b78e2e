"""Boxes of attempts on one line of time: what is too narrow to be seen is put together, so that boxes are few."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from monitor.markup.scales import PLOT, TimeScale
from virnucpro_bus.timeline.timeline import Attempt

LEAST_WIDTH = 0.5
"""Of a box of its own, in pixels."""
CELL = 4
"""How many times as wide as the least box the boxes are in which narrower attempts are put together."""
MAX_BOXES = 5_000
"""In one drawing: with more, the least width is doubled until they are fewer."""
Kind = Literal["own", "stolen", "failed", "running"]


@dataclass
class Box:
    """One attempt, or several that are too narrow to be seen."""

    x0: float
    """In pixels from the start of the plot."""
    x1: float
    attempts: int
    seconds: dict[Kind, float] = field(default_factory=dict)
    """How long the attempts of each kind took."""
    first: Attempt | None = None
    """The attempt, if it is a single one."""

    @property
    def kind(self) -> Kind:
        """Of most of the time."""
        return max(self.seconds, key=lambda each: self.seconds[each])


def kind_of(attempt: Attempt) -> Kind:
    """How an attempt is drawn."""
    if attempt.outcome == "running":
        return "running"
    if attempt.outcome != "completed":
        return "failed"
    return "own" if attempt.stolen_from is None else "stolen"


def boxes_of(attempts: Iterable[Attempt], scale: TimeScale, least_width: float = LEAST_WIDTH) -> list[Box]:
    """The boxes of one line, of attempts in the order of their start. Narrow ones share a box within a cell."""
    boxes: list[Box] = []
    cell = None
    start_ns, pixels = scale.start_ns, scale.pixels_per_ns
    cell_width = CELL * least_width
    for attempt in attempts:
        x0, x1 = (attempt.start_ns - start_ns) * pixels, (attempt.end_ns - start_ns) * pixels
        kind, here = kind_of(attempt), int(x0 / cell_width)
        if here != cell or x1 - x0 >= least_width:
            boxes.append(Box(x0, x1, 1, {kind: attempt.duration_seconds}, attempt))
            cell = here if x1 - x0 < least_width else None
            continue
        box = boxes[-1]
        box.x1 = max(box.x1, x1)
        box.attempts += 1
        box.seconds[kind] = box.seconds.get(kind, 0.0) + attempt.duration_seconds
        box.first = None
    return boxes


def few_boxes(lines: Sequence[Sequence[Attempt]], scale: TimeScale) -> list[list[Box]]:
    """The boxes of several lines: at most MAX_BOXES in all, or two a line where there are that many lines."""
    most = max(MAX_BOXES, 2 * len(lines))
    width = LEAST_WIDTH
    if sum(map(len, lines)) > most:
        while len(lines) * PLOT / (CELL * width) > most:
            width *= 2
    while True:
        boxes = [boxes_of(each, scale, width) for each in lines]
        if sum(map(len, boxes)) <= most or width > PLOT:
            return boxes
        width *= 2
