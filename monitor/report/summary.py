"""The beginning of the page: what ran and when, how it ended, what to be aware of, and the figures that matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from monitor.markup.html import Content, Markup, element
from monitor.markup.tables import Column, table
from monitor.report.reported_run import ReportedRun
from monitor.view.formatting import count, count_devices
from virnucpro_bus.clock import iso_utc
from virnucpro_bus.effect_text import count_steals, is_above_noise, sentence
from virnucpro_bus.metrics import Range
from virnucpro_bus.run_reports import LIVE_STATES, STOPPED, AnnouncedRun
from virnucpro_bus.sources.shards import shard_text
from virnucpro_bus.text import visible
from virnucpro_bus.timeline.sample_columns import SampleColumns
from virnucpro_bus.units import UNKNOWN, duration

JOULES_PER_WATT_HOUR = 3_600
SIMULATED = (
    "The GPUs are simulated, for a demonstration: their figures are invented, and the workers used the CPU."
)
NOT_RECORDED = "events were not recorded, because the capture could not be written; the figures lack them"


class Card(NamedTuple):
    """A figure that matters."""

    name: str
    value: str
    more: str = ""
    """What is to be known of it, such as its range."""


def title_of(runs: Sequence[ReportedRun]) -> str:
    """The title of the page."""
    if len(runs) > 1:
        return f"Report of {len(runs)} runs"
    return f"Report of {visible(runs[0].name)}"


def lead(run: ReportedRun) -> Markup:
    """What ran, where, when, and whether it was good, in a few sentences."""
    totals = run.totals
    files = f"{totals['files_completed']:,}"
    if totals["files_total"] is not None:
        files += f" of {totals['files_total']:,}"
    state = [f"{files} files done on {count_devices(len(run.devices))}"]
    state.append(f"{totals['files_failed']:,} failed" if totals["files_failed"] else "none failed")
    course = [_announcement(each) for each in run.announced] or ["The workers had no launcher and no plan."]
    if run.sessions > 1:
        course.append(
            f"It was resumed: times and the effect of stealing are of the last of {run.sessions} sessions."
        )
    return element(
        "div",
        element(
            "p", f"{', '.join(state)}. Stealing: {sentence(run.effect) or 'its effect is unknown'}.", class_="lead"
        ),
        element("p", " ".join(course), " ", _when(run), class_="note"),
    )


def _announcement(run: AnnouncedRun) -> str:
    state = run["state"]
    if run["exit_code"] is not None:
        state += f" with exit status {run['exit_code']}"
    if run["state"] in LIVE_STATES:
        state = "still running when this page was written"
    shard = f", shard {shard_text(run['shard'])}" if run["shard"] else ""
    return f"Job {visible(run['job'])} on {visible(run['host'])}, policy {visible(run['policy'])}{shard}: {state}."


def _when(run: ReportedRun) -> str:
    start_ns, end_ns = run.span_ns
    if not end_ns:
        return "Nothing is known of when it ran."
    return f"From {_minute(start_ns)} to {_minute(end_ns)} UTC, {duration(run.seconds)}."


def _minute(at_ns: int) -> str:
    return iso_utc(at_ns)[:19].replace("T", " ")


def warnings(run: ReportedRun) -> Iterator[str]:
    """What a reader must be aware of, a line each."""
    if run.is_simulated:
        yield SIMULATED
    for each in run.announced:
        if each["state"] in LIVE_STATES:
            yield f"The run on {visible(each['host'])} is still going on: all figures are of the last event."
        elif each["state"] == STOPPED:
            yield f"The run on {visible(each['host'])} was interrupted: --resume processes what is left."
    if run.timeline.unrecorded_frames:
        yield f"{run.timeline.unrecorded_frames:,} {NOT_RECORDED}."
    yield from (f"{visible(warning[:1]).upper()}{visible(warning[1:])}." for warning in run.recording.warnings)


def cards_of(run: ReportedRun) -> list[Card]:
    """The figures that matter."""
    totals, effect = run.totals, run.effect
    total = UNKNOWN if totals["files_total"] is None else f"{totals['files_total']:,}"
    retried = len({(each.host, each.file) for each in run.unended_attempts})
    makespan = run.makespan_seconds
    sequences = sum(each.sequences or 0 for each in run.last_session)
    above = effect["above_bound_percent"]
    idle = sum(effect["idle_seconds"].values())
    busy = sum(effect["busy_seconds"].values())
    loading = max(effect["loading_seconds"].values(), default=None)
    in_all = f"{duration(run.seconds)} in all"
    if loading is not None:
        in_all += f", loading up to {duration(loading)}"
    by_steals = f"by {count_steals(effect['moves'])}"
    energy = total_energy_joules(run)
    return [
        Card("files done", f"{totals['files_completed']:,} of {total}"),
        Card(
            "files failed", count(totals["files_failed"]), f"{retried:,} with a failed attempt" if retried else ""
        ),
        Card("first to last file", duration(makespan), in_all),
        Card(
            "sequences a second",
            UNKNOWN if not makespan else f"{sequences / makespan:,.1f}",
            f"{totals['sequences']:,} sequences",
        ),
        Card(
            "saved by stealing",
            duration(effect["saved_seconds"]),
            ", ".join(filter(None, [_range(effect["saved_range"], duration), by_steals])),
        ),
        Card(
            "above the best possible",
            UNKNOWN if above is None else f"{above:.1f} %" if is_above_noise(effect) else "within chance",
            _range(effect["above_bound_range"], lambda end: f"{max(0.0, end):.1f} %"),
        ),
        Card(
            "devices idle", UNKNOWN if not idle + busy else f"{100 * idle / (idle + busy):.1f} %", duration(idle)
        ),
        Card("energy of the GPUs", UNKNOWN if energy is None else watt_hours(energy)),
    ]


def _range(likely: Range | None, written: Callable[[float], str]) -> str:
    if likely is None:
        return ""
    low, high = likely
    if high is None:
        return f"at least {written(low)}"
    ends = written(low), written(high)
    return "" if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def total_energy_joules(run: ReportedRun) -> float | None:
    """What all GPUs used from their first sample to their last; None if a counter is unknown or was reset."""
    every = [energy_joules(columns) for columns in run.timeline.samples.values() if len(columns)]
    known = [each for each in every if each is not None]
    return sum(known) if known and len(known) == len(every) else None


def energy_joules(columns: SampleColumns) -> float | None:
    """What a GPU used from its first sample to its last; None if the counter is unknown at any, or was reset."""
    counter = columns.energy_millijoules
    if len(counter) < 2 or min(counter) < 0 or counter.tolist() != sorted(counter):
        return None
    return (counter[-1] - counter[0]) / 1_000


def watt_hours(joules: float) -> str:
    """Write an energy with three figures or more: 8.09 Wh, 1,179 Wh, 33.1 kWh."""
    energy = joules / JOULES_PER_WATT_HOUR
    if energy >= 10_000:
        return f"{energy / 1_000:,.1f} kWh"
    return f"{energy:,.0f} Wh" if energy >= 100 else f"{energy:.2f} Wh"


def cards(runs: Sequence[ReportedRun]) -> Markup:
    """The figures that matter: as cards, or of several runs side by side."""
    if len(runs) == 1:
        return element("dl", [_card(each) for each in cards_of(runs[0])], class_="cards")
    columns = [Column("figure"), *(Column(run.name, is_number=True) for run in runs)]
    every = [cards_of(run) for run in runs]
    rows = [
        [each[0].name, *(f"{card.value}{f' ({card.more})' if card.more else ''}" for card in each)]
        for each in zip(*every, strict=True)
    ]
    return table("The runs side by side", columns, rows)


def _card(card: Card) -> Content:
    return element(
        "div",
        element("dt", card.name),
        element("dd", card.value),
        element("dd", card.more, class_="more") if card.more else None,
    )
