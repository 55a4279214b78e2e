"""The drawing of what each GPU did: load and memory in one lane, power and temperature in another, with gaps."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from monitor.markup.figures import figure
from monitor.markup.html import Markup, element, join, number
from monitor.markup.scales import AXIS_HEIGHT, LEFT, PLOT, TimeScale, nice_top
from monitor.report.reported_run import ReportedRun
from monitor.report.rows import Row, row_label, rows_of
from monitor.view.formatting import known_mean
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.metrics import STALE_AFTER_SECONDS
from virnucpro_bus.timeline.sample_columns import SampleColumns
from virnucpro_bus.units import duration

PARTS, MAX_POINTS = 500, 24_000
"""Of the time, of each curve at most; and of all curves together."""
CURVES = 4
Curve = list[float | None]
"""A figure in each part of the time, as a mean; None: unknown."""


class Curves(NamedTuple):
    """The figures of a row."""

    load: Curve
    """In percent."""
    memory: Curve
    """In percent of the GPU's own."""
    power: Curve
    """In watts."""
    temperature: Curve
    """In degrees Celsius."""


def lanes(run: ReportedRun, scale: TimeScale) -> Markup | None:
    """Draw the samples of all GPUs; None if there are none."""
    sampled = {key: columns for key, columns in run.timeline.samples.items() if len(columns)}
    rows = rows_of(run, sampled)
    if not rows.rows:
        return None
    parts = max(20, min(PARTS, MAX_POINTS // (CURVES * len(rows.rows))))
    edges_ns = TimeScale(scale.start_ns, max(run.seconds, 1e-9)).edges_ns(parts)
    every = [_row_curves([sampled[key] for key in row.devices], edges_ns) for row in rows.rows]
    watts = _top_of(curves.power for curves in every)
    celsius = _top_of(curves.temperature for curves in every)
    part_seconds = (edges_ns[1] - edges_ns[0]) / NANOSECONDS
    longest = max(STALE_AFTER_SECONDS, 1.5 * part_seconds)
    places = [scale.x((before + after) / 2) for before, after in pairwise(edges_ns)]
    widest = longest / part_seconds * (places[-1] - places[0]) / max(1, len(places) - 1)
    upper, lower, gap = (12.0, 7.0, 3.0) if rows.is_thin else (30.0, 22.0, 12.0)
    drawn, top = [], 4.0
    for row, curves in zip(rows.rows, every, strict=True):
        drawn.append(_lane(places, curves.load, top, upper, 100.0, widest, "area", "load"))
        drawn.append(_lane(places, curves.memory, top, upper, 100.0, widest, None, "memory"))
        middle = top + upper + 2
        drawn.append(_lane(places, curves.power, middle, lower, watts, widest, None, "power"))
        drawn.append(_lane(places, curves.temperature, middle, lower, celsius, widest, None, "temperature"))
        drawn.append(_frame(row, top, upper, lower, is_thin=rows.is_thin))
        top += upper + lower + 2 + gap
    label = f"Load, memory, power and temperature of {len(sampled)} GPUs over {run.seconds:.0f} s"
    caption = (
        f"Upper lane: 0 to 100 %. Lower lane: 0 to {watts:g} W, and 0 to {celsius:g} °C. "
        f"Points are means over {duration(part_seconds)}, or single samples; "
        f"a gap: nothing is known for more than {duration(longest)}."
    )
    if rows.is_by_host:
        caption += " Figures of a host are means over its GPUs."
    return figure(label, top + AXIS_HEIGHT, scale.axis(top), drawn, caption=caption)


def _top_of(curves: Iterable[Curve]) -> float:
    """The end of the axis of several curves."""
    return nice_top(max((value for curve in curves for value in curve if value is not None), default=0.0))


def _row_curves(every: Sequence[SampleColumns], edges_ns: Sequence[int]) -> Curves:
    """The curves of a GPU, or the means over those of a host."""
    found = [curves_of(columns, edges_ns) for columns in every]
    if len(found) == 1:
        return found[0]
    return Curves(
        *([known_mean(values) for values in zip(*kind, strict=True)] for kind in zip(*found, strict=True))
    )


def curves_of(columns: SampleColumns, edges_ns: Sequence[int]) -> Curves:
    """The means of the known samples in each part of the time."""
    cuts = [bisect_left(columns.times, at_ns) for at_ns in (*edges_ns[:-1], edges_ns[-1] + 1)]
    parts = [slice(first, stop) for first, stop in pairwise(cuts)]
    return Curves(
        load=[finite_mean(columns.compute_percent[part]) for part in parts],
        memory=[_percent(columns.memory_bytes[part], columns.memory_total_bytes[part]) for part in parts],
        power=[finite_mean(columns.watts[part]) for part in parts],
        temperature=[finite_mean(columns.celsius[part]) for part in parts],
    )


def _percent(used: Sequence[float], total: Sequence[float]) -> float | None:
    mean = _reported_mean(used)
    return None if mean is None or max(total) <= 0 else 100 * mean / max(total)


def _reported_mean(values: Sequence[float]) -> float | None:
    """The mean of those that are not UNKNOWN. Nearly always all are known: that case does without a loop."""
    if values and min(values) < 0:
        values = [value for value in values if value >= 0]
    return sum(values) / len(values) if values else None


def finite_mean(values: Sequence[float]) -> float | None:
    """The mean of the known figures, for which NaN stands otherwise; None if all are unknown."""
    total = sum(values)
    if math.isnan(total):
        values = [value for value in values if not math.isnan(value)]
        total = sum(values)
    return total / len(values) if values else None


def _lane(
    places: Sequence[float],
    curve: Curve,
    top: float,
    height: float,
    most: float,
    widest: float,
    area: str | None,
    name: str,
) -> Markup:
    """A curve, and the area below it. It is broken where two known points are more than `widest` apart."""
    runs: list[list[tuple[float, float]]] = []
    last = -math.inf
    for x, value in zip(places, curve, strict=True):
        if value is None:
            continue
        if x - last > widest:
            runs.append([])
        runs[-1].append((x, top + height * (1 - min(max(value / most, 0.0), 1.0))))
        last = x
    lines = ["M" + "L".join(f"{number(x)} {number(y)}" for x, y in (*each, *each[-1:])) for each in runs]
    bottom = number(top + height)
    areas = [
        f"{line}V{bottom}H{number(each[0][0])}z" for line, each in zip(lines, runs, strict=True) if len(each) > 1
    ]
    line = element("path", class_=f"line {name}", d="".join(lines)) if lines else Markup()
    return join([element("path", class_=area, d="".join(areas)) if area and areas else None, line])


def _frame(row: Row, top: float, upper: float, lower: float, *, is_thin: bool) -> Markup:
    base = number(top + upper)
    ground = number(top + upper + 2 + lower)
    limits = f"M{number(LEFT)} {base}h{number(PLOT)}M{number(LEFT)} {ground}h{number(PLOT)}"
    label = row_label(row, top + (upper + lower) / 2, is_thin=is_thin)
    return join([label, element("path", class_="grid", d=limits)])
