"""The drawing of which device worked on which file, over time, and of what was stolen from whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from monitor.markup.figures import STEAL_ARROW, figure
from monitor.markup.html import Markup, element, number, shortened
from monitor.markup.scales import AXIS_HEIGHT, LEFT, PLOT, TimeScale
from monitor.report.boxes import Box, Kind, few_boxes
from monitor.report.reported_run import ReportedRun
from monitor.report.rows import TITLE_CHARACTERS, Rows, row_label, rows_of
from monitor.report.spread import spread
from virnucpro_bus.timeline.timeline import Attempt, DeviceKey, TimedSteal
from virnucpro_bus.units import duration

MAX_ARROWS = 150
"""With more steals no arrow could be followed: then none is drawn."""
HOST_PARTS = 400
"""In so many parts of the time the devices of a host are counted, where they are shown together."""
_WORDS: dict[Kind, str] = {
    "own": "from its own share",
    "stolen": "stolen",
    "failed": "failed or lost",
    "running": "in progress",
}
_GAP = 0.4
"""Between two boxes, where they are wide enough."""


def gantt(run: ReportedRun, scale: TimeScale) -> Markup | None:
    """Draw the course of a run; None if nothing was started."""
    timeline = run.timeline
    worked = {*run.attempts_by_device, *((each.host, each.device) for each in timeline.loading)}
    worked |= {(row["host"], row["key"]) for row in run.devices}
    rows = rows_of(run, worked)
    if not run.attempts_by_device:
        return None
    height, gap = (8.0, 2.0) if rows.is_thin else (22.0, 6.0)
    if rows.is_by_host:
        height, gap = 40.0, 10.0
    tops = [at * (height + gap) + 2 for at in range(len(rows.rows))]
    bottom = len(tops) * (height + gap)
    labels = [
        row_label(row, top + height / 2, is_thin=rows.is_thin) for row, top in zip(rows.rows, tops, strict=True)
    ]
    caption = None
    if rows.is_by_host:
        bars = [_crowd(run, row.devices, top, height, scale) for row, top in zip(rows.rows, tops, strict=True)]
        caption = "There are too many devices for a row each: the height shows how many of a host's were at work."
        arrows: list[Markup] = []
    else:
        bars = list(_lines(run, rows, tops, height, scale))
        arrows, caption = _arrows(run, rows, tops, height, scale)
    label = (
        f"Which device worked on what: {len(timeline.attempts):,} attempts at files on {len(worked):,} devices "
        f"in {duration(run.seconds)}, {len(timeline.steals):,} of them stolen"
    )
    return figure(label, bottom + AXIS_HEIGHT, scale.axis(bottom), labels, bars, arrows, caption=caption)


def _lines(
    run: ReportedRun, rows: Rows, tops: Sequence[float], height: float, scale: TimeScale
) -> Iterator[Markup]:
    """The boxes of each device."""
    lines = [run.attempts_by_device.get(row.devices[0], []) for row in rows.rows]
    loading: dict[DeviceKey, list[Markup]] = {}
    for each in run.timeline.loading:
        title = f"loading, {duration((each.end_ns - each.start_ns) / 1e9)}"
        title += "" if each.is_ready else "; it was not ready when it ended"
        box = _box(
            scale.x(each.start_ns) - LEFT,
            scale.x(each.end_ns) - LEFT,
            0.3 * height,
            0.4 * height,
            "loading",
            title,
        )
        loading.setdefault((each.host, each.device), []).append(box)
    for row, top, boxes in zip(rows.rows, tops, few_boxes(lines, scale), strict=True):
        drawn = [_drawn(run, box, height) for box in boxes]
        yield element(
            "g", loading.get(row.devices[0]), drawn, transform=f"translate({number(LEFT)} {number(top)})"
        )


def _drawn(run: ReportedRun, box: Box, height: float) -> Markup:
    """A box; one of several attempts is divided by the time that each kind of them took."""
    if box.first is not None:
        return _box(box.x0, box.x1, 0.0, height, box.kind, _describe(run, box.first))
    total, top, pieces = sum(box.seconds.values()), 0.0, []
    kinds = [kind for kind in _WORDS if kind in box.seconds]
    for kind in kinds:
        part = height * (box.seconds[kind] / total if total else 1 / len(kinds))
        pieces.append(_box(box.x0, box.x1, top, part, kind))
        top += part
    title = f"{box.attempts:,} attempts: {', '.join(_WORDS[kind] for kind in kinds)}"
    return element("g", element("title", title), pieces)


def _box(x0: float, x1: float, top: float, height: float, name: str, title: str | None = None) -> Markup:
    """A rectangle from `x0` to `x1`, in pixels from the start of the plot."""
    width = max(min(x1, PLOT) - x0 - _GAP, _GAP)
    path = f"M{number(x0)} {number(top)}h{number(width, 2)}v{number(height)}h-{number(width, 2)}z"
    tip = None if title is None else element("title", shortened(title, TITLE_CHARACTERS))
    return element("path", tip, class_=name, d=path)


def _describe(run: ReportedRun, attempt: Attempt) -> str:
    parts = [f"{attempt.outcome} in {duration(attempt.duration_seconds)}"]
    if attempt.attempt > 1 or attempt.outcome != "completed":
        parts.append(f"attempt {attempt.attempt}" if attempt.attempt else "attempts are not counted")
    if attempt.sequences is not None:
        parts.append(f"{attempt.sequences:,} sequences")
    if attempt.stolen_from is not None:
        parts.append(f"stolen from {run.label(attempt.host, attempt.stolen_from)}")
    if attempt.reason:
        parts.append(attempt.reason)
    return f"{attempt.file}: {', '.join(parts)}"


def _arrows(
    run: ReportedRun, rows: Rows, tops: Sequence[float], height: float, scale: TimeScale
) -> tuple[list[Markup], str | None]:
    """An arrow from the victim to the thief of each steal, and what to say where there are too many."""
    steals = run.timeline.steals
    if len(steals) > MAX_ARROWS:
        return [], f"The arrows of {len(steals):,} steals are left out."
    middle = {row.devices[0]: top + height / 2 for row, top in zip(rows.rows, tops, strict=True)}
    starts = {(each.host, each.file, each.attempt): each.start_ns for each in run.timeline.attempts}
    return [
        _arrow(run, steal, middle, scale.x(starts.get((steal.host, steal.file, steal.attempt), steal.at_ns)))
        for steal in steals
        if (steal.host, steal.victim) in middle and (steal.host, steal.thief) in middle
    ], None


def _arrow(run: ReportedRun, steal: TimedSteal, middle: dict[DeviceKey, float], x: float) -> Markup:
    start, end = middle[steal.host, steal.victim], middle[steal.host, steal.thief]
    bend = max(LEFT, x - 16)
    turns = f"{number(bend)} {number(start)} {number(bend)} {number(end)}"
    path = f"M{number(x)} {number(start)}C{turns} {number(x)} {number(end)}"
    title = (
        f"{steal.file}: {run.label(steal.host, steal.thief)} stole it from {run.label(steal.host, steal.victim)}"
    )
    return element(
        "path",
        element("title", shortened(title, TITLE_CHARACTERS)),
        class_="steal",
        d=path,
        marker_end=f"url(#{STEAL_ARROW})",
    )


def _crowd(run: ReportedRun, devices: Iterable[DeviceKey], top: float, height: float, scale: TimeScale) -> Markup:
    """How many of the devices were at work, as an area."""
    keys = list(devices)
    edges_ns = scale.edges_ns(HOST_PARTS)
    spans = (
        (attempt.start_ns, attempt.end_ns, float(attempt.end_ns - attempt.start_ns))
        for key in keys
        for attempt in run.attempts_by_device.get(key, ())
    )
    path = [f"M{number(LEFT)} {number(top + height)}"]
    for at, busy_ns in enumerate(spread(spans, edges_ns), start=1):
        share = min(1.0, busy_ns / (edges_ns[1] - edges_ns[0]) / len(keys))
        path.append(f"V{number(top + height * (1 - share))}H{number(LEFT + at / HOST_PARTS * PLOT)}")
    return element("path", class_="own", d="".join([*path, f"V{number(top + height)}z"]))
