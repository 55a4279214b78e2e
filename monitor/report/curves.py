"""The drawings of one figure over time: throughput, and pending files."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from monitor.markup.figures import figure
from monitor.markup.html import Markup, element, number
from monitor.markup.scales import AXIS_HEIGHT, LEFT, PLOT, TEXT_DROP, TimeScale, nice_top
from monitor.report.reported_run import ReportedRun
from monitor.report.spread import spread
from virnucpro_bus.timeline.timeline import Depth
from virnucpro_bus.units import duration

HEIGHT = 110.0
TOP = 8.0
PARTS = 300
"""Of the time, at most."""
LEAST_PART_SECONDS = 1.0
"""A shorter one would show the files, not the throughput."""


def throughput(run: ReportedRun, scale: TimeScale) -> Markup | None:
    """Draw sequences a second; None if no file was completed."""
    parts = max(1, min(PARTS, int(run.seconds / LEAST_PART_SECONDS)))
    edges_ns = TimeScale(scale.start_ns, max(run.seconds, 1e-9)).edges_ns(parts)
    done = [
        (each.start_ns, each.end_ns, float(each.sequences))
        for each in run.timeline.attempts
        if each.sequences is not None
    ]
    if not done:
        return None
    part = (edges_ns[1] - edges_ns[0]) / 1e9 or 1.0
    rates = [amount / part for amount in spread(done, edges_ns)]
    label = f"Sequences a second over time, of completed files: at most {max(rates):.3g} in {duration(part)}"
    steps = list(zip(edges_ns, rates, strict=False))
    return _steps(label, steps, edges_ns[-1], scale, f"{{:.{0 if max(rates) >= 10 else 2}f}}")


def pending(run: ReportedRun, scale: TimeScale) -> Markup | None:
    """Draw how many files were in the queues; None if that was not reported."""
    depths = run.timeline.depths
    if not depths:
        return None
    by_host: dict[str, list[Depth]] = {}
    for depth in depths:
        by_host.setdefault(depth.host, []).append(depth)
    # What a queue held at the end of each pixel is all that can be seen.
    edges_ns = scale.edges_ns(round(PLOT))
    files = [0.0] * len(edges_ns)
    for reported in by_host.values():
        times = [depth.at_ns for depth in reported]
        for at, edge_ns in enumerate(edges_ns):
            files[at] += reported[max(0, bisect_right(times, edge_ns) - 1)].files
    steps = [each for each in zip(edges_ns, files, strict=True) if each[0] <= run.span_ns[1]]
    label = f"Files pending in all queues over time: {files[0]:.0f} at first, {files[-1]:.0f} at the end"
    return _steps(label, steps, run.span_ns[1], scale, "{:.0f}")


def _steps(label: str, steps: Sequence[tuple[int, float]], end_ns: int, scale: TimeScale, form: str) -> Markup:
    """Draw a figure that keeps each of its values until the next moment."""
    top = nice_top(max(value for _, value in steps))
    bottom = TOP + HEIGHT

    def y(value: float) -> float:
        return bottom - value / top * HEIGHT

    path = [f"M{number(scale.x(steps[0][0]))} {number(y(steps[0][1]))}"]
    for (_, before), (at_ns, value) in pairwise(steps):
        if value != before:
            path.append(f"H{number(scale.x(at_ns))}V{number(y(value))}")
    path.append(f"H{number(scale.x(end_ns))}")
    line = "".join(path)
    area = f"{line}V{number(bottom)}H{number(scale.x(steps[0][0]))}z"
    levels = [
        (
            element("path", class_="grid", d=f"M{number(LEFT)} {number(y(value))}H{number(LEFT + PLOT)}"),
            element(
                "text", form.format(value), class_="dim", x=LEFT - 8, y=y(value) + TEXT_DROP, text_anchor="end"
            ),
        )
        for value in (0.0, top / 2, top)
    ]
    drawn = element("path", class_="area", d=area), element("path", class_="line", d=line)
    return figure(label, bottom + AXIS_HEIGHT, scale.axis(bottom), levels, drawn)
