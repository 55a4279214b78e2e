"""The drawing of whether stealing helped: the makespan without it, as it was, and at best, each with its range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from monitor.markup.figures import figure
from monitor.markup.html import Content, Markup, element, number
from monitor.markup.scales import LEFT, TEXT_DROP, WIDTH
from monitor.markup.tables import Column, grouped_table
from monitor.report.reported_run import ReportedRun, group_of
from virnucpro_bus.metrics import Range
from virnucpro_bus.units import UNKNOWN, duration, likely_duration
from virnucpro_bus.whatif import Alternative

BAR, GAP = 18.0, 8.0
HEAD = 20.0
"""For the name of a run, where there are several."""
LABELS = 190.0
"""At the right of the bars, for the figures."""


class _Bar(NamedTuple):
    name: str
    seconds: float | None
    likely: Range | None
    style: str


def bars_of(run: ReportedRun) -> list[_Bar]:
    """The three makespans of a run; empty if none is known."""
    effect = run.effect
    bars = [
        _Bar(
            "without stealing",
            effect["makespan_without_stealing_seconds"],
            effect["makespan_without_stealing_range"],
            "without",
        ),
        _Bar("as it was", effect["makespan_expected_seconds"], effect["makespan_expected_range"], "own"),
        _Bar("lower bound", effect["lower_bound_seconds"], effect["lower_bound_range"], "bound"),
    ]
    if (effect["makespan_expected_seconds"] or 0.0) > (effect["makespan_seconds"] or 0.0):
        bars[1] = bars[1]._replace(name="expected")
    return bars if any(bar.seconds is not None or bar.likely is not None for bar in bars) else []


def effect_bars(runs: Sequence[ReportedRun]) -> Markup | None:
    """Draw the makespans of all runs below each other, on one scale; None if none is known."""
    every = [(run, bars) for run in runs if (bars := bars_of(run))]
    if not every:
        return None
    ends = [end for _, bars in every for bar in bars for end in (bar.seconds, *(bar.likely or ()))]
    scale = (WIDTH - LEFT - LABELS) / max((end for end in ends if end is not None), default=1.0)
    drawn: list[Content] = []
    words: list[str] = []
    top = 4.0
    for run, bars in every:
        if len(runs) > 1:
            drawn.append(element("text", run.name, class_="strong", x=0, y=top + HEAD / 2 + TEXT_DROP))
            words.append(run.name)
            top += HEAD
        for bar in bars:
            drawn.append(_drawn(bar, top, scale))
            words.append(f"{bar.name} {likely_duration(bar.seconds, bar.likely)}")
            top += BAR + GAP
        top += GAP
    return figure(f"How long the run took, and would have taken: {'; '.join(words)}", top, drawn)


def _drawn(bar: _Bar, top: float, scale: float) -> Content:
    middle = top + BAR / 2
    name = element("text", bar.name, x=LEFT - 8, y=middle + TEXT_DROP, text_anchor="end")
    low, high = bar.likely or (None, None)
    known = bar.seconds if bar.seconds is not None else low
    if known is None:
        return name, element("text", UNKNOWN, class_="dim", x=LEFT, y=middle + TEXT_DROP)
    right = LEFT + max(known, high or 0.0) * scale + 8
    drawn: list[Content] = [
        name,
        element(
            "path",
            element("title", f"{bar.name}: {likely_duration(bar.seconds, bar.likely)}"),
            class_=bar.style,
            d=f"M{number(LEFT)} {number(top)}h{number(max(known * scale, 1.0))}v{number(BAR)}H{number(LEFT)}z",
        ),
        element("text", likely_duration(bar.seconds, bar.likely), x=right, y=middle + TEXT_DROP),
    ]
    if low is not None and high is not None and (high - low) * scale > 1:
        x0, x1 = number(LEFT + low * scale), number(LEFT + high * scale)
        ends = f"M{x0} {number(middle - 5)}v10M{x1} {number(middle - 5)}v10"
        drawn.append(element("path", class_="whisker", d=f"M{x0} {number(middle)}H{x1}{ends}"))
    return drawn


def whatif_table(runs: Sequence[ReportedRun]) -> Content:
    """The recorded runs under other policies and with other devices, or in a line each why that is unknown."""
    rows: list[tuple[str, list[Content]]] = []
    notes: list[Content] = []
    for run in runs:
        if isinstance(run.what_if, str):
            prefix = f"{run.name}: " if len(runs) > 1 else ""
            notes.append(element("p", f"{prefix}{run.what_if}", class_="note"))
            continue
        found = run.what_if
        rows += [(run.name, _cells(each)) for each in (found["recorded"], *found["alternatives"])]
        if found["files_left_out"]:
            left = found["files_left_out"]
            text = f"Planned files that are left out, because they were not completed: {left:,}."
            notes.append(element("p", text, class_="note"))
        if found["note"] is not None:
            notes.append(element("p", f"{found['note'].capitalize()}.", class_="note"))
    if not rows:
        return notes
    columns = [
        Column("what"),
        Column("policy"),
        *(Column(name, is_number=True) for name in ("devices", "makespan", "idle", "device time", "steals")),
    ]
    caption = "What if: the run, simulated under every policy and with half and double the devices"
    return [grouped_table(caption, columns, rows, group_of(runs)), notes]


def _cells(each: Alternative) -> list[Content]:
    return [
        each["name"],
        each["policy"] or UNKNOWN,
        f"{each['devices']:,}",
        likely_duration(each["makespan_seconds"], each["makespan_range"]),
        duration(each["idle_seconds"]),
        duration(each["device_seconds"]),
        f"{each['steals']:,}",
    ]
