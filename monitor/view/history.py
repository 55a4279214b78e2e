"""The history of a run in a frame: throughput and load of the last minutes, beside each other. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import set_cell_size
from rich.text import Text

from monitor.model.view_model import ViewModel
from monitor.view.braille import VALUES_A_CELL, area
from monitor.view.formatting import percent, rate
from monitor.view.glyphs import GAP, MARGIN, Glyphs
from virnucpro_bus.units import UNKNOWN, duration

LEAST_CELLS = 30
"""Of one drawing: in a narrower frame there is only the first."""
LEAST_LINES, MOST_LINES = 3, 12
"""Of all drawings, with the line above them."""
ONE_CORE = 100.0


@dataclass(frozen=True)
class _Curve:
    title: str
    values: Sequence[float | None]
    top: float
    latest: str
    most: str
    """What the full height stands for."""


def history_lines(model: ViewModel, width: int, room: int, glyphs: Glyphs) -> list[Text]:
    """Return the history in at most `room` lines; none if that is too few, or little is known.

    There is none for a terminal without Unicode.
    """
    lines, curves = min(room, MOST_LINES) - 1, _curves(model)
    if glyphs.ascii_only or lines + 1 < LEAST_LINES or not curves:
        return []
    inner = width - 2 * len(MARGIN)
    while len(curves) > 1 and _cells_each(inner, len(curves)) < LEAST_CELLS:
        curves = curves[:-1]
    cells = _cells_each(inner, len(curves))
    heads = [_head(curve, model, cells, glyphs) for curve in curves]
    drawn = [area(curve.values, curve.top, cells, lines) for curve in curves]
    texts = [Text(MARGIN)]
    for index, (title, figures) in enumerate(heads):
        texts[0].append(GAP * bool(index)).append(title, "bold cyan").append(figures, "dim")
    texts += [Text(MARGIN + GAP.join(parts), "green") for parts in zip(*drawn, strict=True)]
    return texts


def _cells_each(inner: int, curves: int) -> int:
    return max(1, (inner - len(GAP) * (curves - 1)) // curves)


def _curves(model: ViewModel) -> list[_Curve]:
    """The throughput, from the first sample on, so that nothing moves later; and a load, if one is known."""
    history = model.history
    if not history.seconds:
        return []
    fastest, busiest = _greatest(history.throughputs), _greatest(history.cpus)
    throughput = _Curve(
        "THROUGHPUT",
        history.throughputs,
        fastest or 0.0,
        _with_unit(rate(_last(history.throughputs)), " seq/s"),
        "" if fastest is None else f"most {rate(fastest)}",
    )
    compute = _Curve("COMPUTE", history.computes, 100.0, percent(_last(history.computes)), "")
    # A core at least, so that workers which wait do not look busy.
    cpu = _Curve(
        "CPU",
        history.cpus,
        max(ONE_CORE, busiest or 0.0),
        percent(_last(history.cpus)),
        f"most {percent(busiest)}",
    )
    loads = [curve for curve in (compute, cpu) if any(value is not None for value in curve.values)]
    return [*([] if model.is_of_gpus_alone else [throughput]), *loads[:1]]


def _with_unit(figure: str, unit: str) -> str:
    return figure if figure == UNKNOWN else figure + unit


def _greatest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _last(values: Sequence[float | None]) -> float | None:
    return values[-1] if values else None


def _head(curve: _Curve, model: ViewModel, cells: int, glyphs: Glyphs) -> tuple[str, str]:
    """The title of a drawing, and beside it the latest value, the greatest, and how long ago it begins."""
    seconds = model.history.seconds[-VALUES_A_CELL * cells :]
    parts = [curve.latest, *([curve.most] if curve.most else []), f"last {duration(seconds[-1] - seconds[0])}"]
    room = cells - len(curve.title) - len(GAP)
    return curve.title, set_cell_size(GAP + glyphs.join_fitting(parts, room), cells - len(curve.title))
