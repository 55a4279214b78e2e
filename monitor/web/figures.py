"""What the page shows at one moment: texts, and the lengths of bars and trends. Pure functions.

All is formatted here, in the words of the terminal, so that the page has nothing to decide. Every text passes
`visible`, and the page sets it as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor
from typing import Literal, TypedDict

from monitor.model.answers import Steal
from monitor.model.view_model import NOTICE, Trend, ViewModel, device_key
from monitor.view.formatting import (
    bytes_per_second,
    bytes_text,
    count,
    describe_devices,
    loading_time,
    percent,
    plain_count,
    rate,
    short_name,
)
from monitor.view.glyphs import STALLED, STATE_WORDS
from monitor.view.useful_columns import unknown_figures
from virnucpro_bus.effect_text import gain
from virnucpro_bus.health.problems import HOT_CELSIUS, is_stalled
from virnucpro_bus.health.rows import Row, device_label, qualified_label, qualifiers
from virnucpro_bus.metrics import is_stale
from virnucpro_bus.run_reports import DRAINING, AnnouncedRun
from virnucpro_bus.sources.shards import shard_text
from virnucpro_bus.text import visible
from virnucpro_bus.units import UNKNOWN, duration, likely_duration

TREND_SAMPLES = 60
STEALS_SHOWN = NOTICES_SHOWN = 8
HIGH_MEMORY_PERCENT = 95.0
Level = Literal["", "good", "warn", "bad"]


class Bar(TypedDict):
    """A figure with a bar."""

    percent: float | None
    """The length; None: there is no bar."""
    text: str
    level: Level


class DeviceFigures(TypedDict):
    """A row of the table."""

    key: str
    """The same for a device at every moment."""
    device: str
    name: str
    """The model; "" where all devices are of one model."""
    state: str
    level: Level
    compute: Bar
    trend: list[int | None]
    """Percentages, the oldest first; None: unknown."""
    memory: Bar
    temperature: str
    power: str
    cpu: str
    """Of its worker's processes, as are the next two."""
    resident: str
    reads: str
    throughput: str
    queue: str
    completed: str
    failed: str
    stolen: str
    """Files that it has taken from others, and files that others have taken from it."""
    file: str
    file_done: str
    """How much of it is done; "": unknown."""


class StealFigures(TypedDict):
    """One of the last steals."""

    time: float | None
    """Seconds since 1970, for the viewer's own time zone."""
    file: str
    thief: str
    victim: str
    saved: str
    """What it has saved or lost; "": not known yet."""


class ProblemFigures(TypedDict):
    """A problem, in one line."""

    text: str
    level: Level


class PageFigures(TypedDict):
    """All that the page shows."""

    title: str
    now: float
    """Seconds since 1970."""
    end: str
    """How the run has ended; "" while it has not."""
    is_simulated: bool
    done: int | None
    failed: int | None
    total: int | None
    """The number of files; None: there is no plan."""
    progress: str
    facts: list[tuple[str, str]]
    """Names and values of what is known of the whole run."""
    effect: str
    """What stealing has saved or cost; "" while that is unknown."""
    problems: list[ProblemFigures]
    """The worst first."""
    notices: list[str]
    """What the run itself has reported, the latest first."""
    devices: list[DeviceFigures]
    unknown: list[str]
    """The columns of them in which nothing is known of any, by their names here."""
    steals: list[StealFigures]
    """The latest first."""


def page_figures(model: ViewModel, rows: Sequence[Row], runs: Sequence[AnnouncedRun]) -> PageFigures:
    """Return what the page shows of `model`, with these rows of it, and of the announced runs."""
    totals, needed = model.totals, qualifiers(model.rows)
    # One model is named once, among the facts.
    with_names = len({metrics["device_name"] for metrics, _ in model.rows}) > 1
    return PageFigures(
        title=visible(model.title),
        now=model.now_ns / 1e9,
        end=model.end,
        is_simulated=model.is_simulated,
        done=totals["files_completed"],
        failed=totals["files_failed"],
        total=totals["files_total"],
        progress=_progress(model),
        facts=[*_facts(model), *_run_facts(runs)],
        effect=", ".join(model.stealing),
        problems=[
            ProblemFigures(text=visible(each.text), level="bad" if each.is_bad else "warn")
            for each in model.health
            if each.kind != NOTICE
        ],
        notices=[visible(each.text) for each in model.health if each.kind == NOTICE][:NOTICES_SHOWN],
        devices=[
            _device(
                row,
                qualified_label(row[0], needed),
                short_name(visible(row[0]["device_name"])) if with_names else "",
                model.trends.get(device_key(row[0]), Trend()),
            )
            for row in rows
        ],
        unknown=_unknown_columns(rows),
        steals=[_steal(each, model) for each in reversed(model.steals[-STEALS_SHOWN:])],
    )


def _progress(model: ViewModel) -> str:
    done, total = model.totals["files_completed"], model.totals["files_total"]
    if total is None:
        return f"{count(done)} files done"
    share = "" if done is None or not total else f", {100 * done // total}%"
    return f"{count(done)} of {total:,} files done{share}"


def _facts(model: ViewModel) -> list[tuple[str, str]]:
    totals = model.totals
    facts = [("elapsed", duration(model.elapsed_seconds))]
    if not model.end_or_draining:
        facts.append(("time left", likely_duration(model.eta_seconds, model.eta_range)))
    facts += [
        ("sequences a second", rate(model.throughput)),
        ("files failed", plain_count(totals["files_failed"])),
        ("steals", plain_count(totals["steals"])),
        ("events lost", plain_count(totals["events_lost"])),
    ]
    if devices := describe_devices(model.rows):
        facts.append(("devices", devices))
    return facts


def _run_facts(runs: Sequence[AnnouncedRun]) -> list[tuple[str, str]]:
    if len(runs) == 1:
        run = runs[0]
        return [
            ("job", visible(run["job"])),
            ("policy", visible(run["policy"])),
            ("host", visible(run["host"])),
            *([("shard", shard_text(run["shard"]))] if run["shard"] else []),
            ("state", _state_of(run)),
        ]
    return [(visible(f"{run['run']} on {run['host']}"), ", ".join(_course_of(run))) for run in runs]


def _state_of(run: AnnouncedRun) -> str:
    reason = run["draining_reason"] if run["state"] == DRAINING else None
    return visible(run["state"] if reason is None else f"{run['state']} ({reason})")


def _course_of(run: AnnouncedRun) -> Iterator[str]:
    yield _state_of(run)
    yield visible(run["job"])
    if run["shard"] is not None:
        yield f"shard {shard_text(run['shard'])}"


def _device(row: Row, label: str, name: str, trend: Trend) -> DeviceFigures:
    metrics, utilization = row
    state, done = metrics["state"], metrics["current_file_percent"]
    levels: dict[str | None, Level] = {"busy": "good", "lost": "bad", "silent": "warn"}
    word, level = STATE_WORDS.get(state or "", visible(state or UNKNOWN)), levels.get(state, "")
    if (time := loading_time(metrics)) is not None:
        word = f"{word} {time}"
    if is_stalled(metrics):
        word, level = STALLED, "warn"
    return DeviceFigures(
        key="\0".join(map(str, device_key(metrics))),
        device=label,
        name=name,
        state=word,
        level=level,
        compute=_bar(utilization["compute_percent"], stale=is_stale(utilization)),
        trend=[None if each is None else round(each) for each in trend.compute_percents],
        memory=_bar(utilization["memory_percent"], bad_from=HIGH_MEMORY_PERCENT),
        temperature=_figure(utilization["temperature"], "°C", bad_from=HOT_CELSIUS),
        power=_figure(utilization["power_watts"], " W"),
        cpu=percent(metrics["cpu_percent"]),
        resident=bytes_text(metrics["resident_bytes"]),
        reads=bytes_per_second(metrics["read_bytes_per_second"]),
        throughput=rate(metrics["throughput"]),
        queue=plain_count(metrics["queue_depth"]),
        completed=plain_count(metrics["files_completed"]),
        failed=plain_count(metrics["files_failed"]),
        stolen=f"+{plain_count(metrics['work_stolen_to'])} −{plain_count(metrics['work_stolen_from'])}",
        file=visible(metrics["current_file"] or ""),
        file_done="" if done is None else f"{floor(done)}%",
    )


def _unknown_columns(rows: Sequence[Row]) -> list[str]:
    unknown = unknown_figures(rows) & DeviceFigures.__annotations__.keys()
    return sorted(unknown | ({"trend"} if "compute" in unknown else set()))


def _bar(value: float | None, *, stale: bool = False, bad_from: float | None = None) -> Bar:
    if stale:
        return Bar(percent=None, text="STALE", level="warn")
    is_bad = value is not None and bad_from is not None and value >= bad_from
    return Bar(
        percent=None if value is None else round(value, 1), text=percent(value), level="bad" if is_bad else ""
    )


def _figure(value: float | None, unit: str, bad_from: float | None = None) -> str:
    if value is None:
        return UNKNOWN
    mark = "!!" if bad_from is not None and value >= bad_from else ""
    return f"{mark}{value:.0f}{unit}"


def _steal(steal: Steal, model: ViewModel) -> StealFigures:
    return StealFigures(
        time=steal["timestamp"],
        file=visible(steal["file_name"]) or UNKNOWN,
        thief=device_label(steal["dest_gpu"]),
        victim=device_label(steal["source_gpu"]),
        saved=_saved(steal, model),
    )


def _saved(steal: Steal, model: ViewModel) -> str:
    """What the steal has saved or lost, by itself; "": not known yet."""
    same = ("host", "file_name", "timestamp")
    for effect in () if model.effect is None else reversed(model.effect["steals"]):
        if all(effect[name] == steal[name] for name in same) and effect["saved_seconds"] is not None:  # type: ignore[literal-required]
            return gain(effect["saved_seconds"], effect["saved_range"])
    return ""
