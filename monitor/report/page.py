"""The page: its sections in their order, of one run or of several side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from monitor.markup.figures import definitions, legend
from monitor.markup.html import Content, Markup, element, join
from monitor.markup.scales import TimeScale
from monitor.report.curves import pending, throughput
from monitor.report.effect_figures import effect_bars, whatif_table
from monitor.report.file_tables import failures, slowest, steals
from monitor.report.gantt import MAX_ARROWS, gantt
from monitor.report.lanes import lanes
from monitor.report.reported_run import ReportedRun
from monitor.report.run_tables import devices, environment, notices
from monitor.report.style import security_policy, style
from monitor.report.summary import cards, lead, title_of, warnings
from virnucpro_bus.effect_text import sentence

_Drawing = Callable[[ReportedRun, TimeScale], Markup | None]


class _Section(NamedTuple):
    name: str
    title: str
    content: Content


def make_page(runs: Sequence[ReportedRun], version: str) -> str:
    """Make the page of at least one run. `version` is that of this program."""
    sections = [each for each in _sections(runs) if each.content is not None]
    links = [element("li", element("a", each.title, href=f"#{each.name}")) for each in sections]
    title = title_of(runs)
    body = element(
        "body",
        definitions(),
        element(
            "header",
            element("h1", title),
            [_heading(run, runs) for run in runs],
            element("nav", element("ul", links), aria_label="Sections"),
        ),
        element("main", cards(runs), [_section(each) for each in sections]),
        element("footer", f"Written by virnucpro-bus {version}. Times are those of the capture; unknown is n/a."),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=security_policy()),
        element("meta", name="generator", content="virnucpro-bus"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{title} - virnucpro-bus"),
        element("style", style()),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _heading(run: ReportedRun, runs: Sequence[ReportedRun]) -> Content:
    return [
        element("h2", run.name) if len(runs) > 1 else None,
        lead(run),
        [element("p", warning, class_="warning", role="note") for warning in warnings(run)],
    ]


def _section(section: _Section) -> Markup:
    heading = element("h2", section.title, id=f"{section.name}-title")
    return element("section", heading, section.content, id=section.name, aria_labelledby=f"{section.name}-title")


def _sections(runs: Sequence[ReportedRun]) -> Iterator[_Section]:
    work = _legend_of_work(runs)
    yield _Section(
        "work", "Which device worked on what", _drawings(runs, gantt, work) or _none("No file was started.")
    )
    yield _Section("stealing", "Did stealing help?", _stealing(runs))
    load = legend(
        [
            ("load", "load"),
            ("memory", "memory"),
            ("power", "power"),
            ("temperature", "temperature"),
        ]
    )
    yield _Section("gpus", "What the GPUs did", _drawings(runs, lanes, load) or _none("No GPU was sampled."))
    rate = element(
        "p", "Sequences a second; those of a file count evenly from its start to its end.", class_="note"
    )
    yield _Section("throughput", "Throughput", _drawings(runs, throughput, rate))
    yield _Section("pending", "Files pending", _drawings(runs, pending, None))
    yield _Section("devices", "Devices", devices(runs))
    yield _Section("failures", "What failed", failures(runs) or _none("Nothing failed, and no worker was lost."))
    yield _Section("slowest", "The slowest files", slowest(runs))
    yield _Section("steals", "The best and the worst steals", steals(runs))
    yield _Section("notices", "Notices", notices(runs))
    yield _Section("environment", "Environment", environment(runs))


def _legend_of_work(runs: Sequence[ReportedRun]) -> Markup:
    """The key of the drawing of work: what is in it, and no more."""
    outcomes = {each.outcome for run in runs for each in run.timeline.attempts}
    has_steals = any(run.timeline.steals for run in runs)
    has_arrows = any(0 < len(run.timeline.steals) <= MAX_ARROWS for run in runs)
    entries = [
        (True, "own", "from its own share"),
        (has_steals, "stolen", "stolen"),
        (not outcomes <= {"completed", "running"}, "failed", "failed or lost attempt"),
        ("running" in outcomes, "running", "in progress"),
        (any(run.timeline.loading for run in runs), "loading", "loading"),
        (has_arrows, "arrow", "from the queue of"),
    ]
    return legend((name, text) for is_there, name, text in entries if is_there)


def _none(text: str) -> Markup:
    return element("p", text, class_="note")


def _drawings(runs: Sequence[ReportedRun], draw: _Drawing, before: Content) -> Content:
    """A drawing of each run on one scale of time; None if there is none."""
    longest = max(run.seconds for run in runs) or 1.0
    made = [(run, draw(run, TimeScale(run.span_ns[0], longest))) for run in runs]
    if all(drawing is None for _, drawing in made):
        return None
    return [
        before,
        [
            [
                element("h3", run.name) if len(runs) > 1 else None,
                drawing if drawing is not None else _none("Unknown."),
            ]
            for run, drawing in made
        ],
    ]


def _stealing(runs: Sequence[ReportedRun]) -> Content:
    prefixes = [f"{run.name}: " if len(runs) > 1 else "" for run in runs]
    sentences = [
        element(
            "p", f"{prefix}{sentence(run.effect) or 'unknown: no file was started, or the plan is incomplete'}."
        )
        for prefix, run in zip(prefixes, runs, strict=True)
    ]
    note = element(
        "p",
        "Without stealing: if every device had processed the files first assigned to it. "
        "Lower bound: no distribution of the files could be faster. The lines at the ends are likely ranges.",
        class_="note",
    )
    bars = effect_bars(runs)
    return join([sentences, [note, bars] if bars is not None else None, whatif_table(runs)])
