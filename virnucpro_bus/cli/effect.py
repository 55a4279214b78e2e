"""The `effect` subcommand: shows what work stealing changed in recorded runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from virnucpro_bus.cli.load_capture import SIMULATED, heading, load_runs, shard_of
from virnucpro_bus.cli.options import runs_argument
from virnucpro_bus.effect_text import figures_paragraph, report_paragraph
from virnucpro_bus.metrics import Effect
from virnucpro_bus.sources.shards import are_parts_of_one_whole
from virnucpro_bus.text import visible

if TYPE_CHECKING:
    from virnucpro_bus.fold.fleet import FleetState


class EffectReport(Effect):
    """The object that `effect --json` prints of one run."""

    simulated: bool
    """Whether any device of the run is a simulated GPU."""


class EffectOfRun(EffectReport):
    """One of several runs."""

    run: str
    """The name of its folder or file; its path where two have the same."""


class EffectsReport(TypedDict):
    """The object that `effect --json` prints of several runs."""

    runs: list[EffectOfRun]
    """In the order given."""
    combined: EffectReport | None
    """The effect on all shards together; None: the runs are not shards of the same inputs."""


@click.command
@runs_argument
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def effect(runs: Sequence[Path], as_json: bool) -> None:
    """Show what work stealing changed in each RUN (a run.vbus file or a run folder).

    How long the run took, how long it would have taken if every device had processed the files that were first
    assigned to it, the lower bound, how long devices were idle, and what each steal saved or lost. Unknown is n/a.
    Shards of the same inputs are also shown together: the longest one counts, and idle times add up.

    \b
    Examples:
      virnucpro-bus effect first-run
      virnucpro-bus effect first-run/run.vbus --json
      virnucpro-bus effect out/*
    """
    fleets = load_runs(runs)
    combined = _combined(fleets)
    reports = {
        name: EffectReport(**fleet.get_effect(), simulated=fleet.is_simulated) for name, fleet in fleets.items()
    }
    if not as_json:
        click.echo("\n\n".join(_paragraphs(fleets, reports, combined)))
    elif len(reports) == 1:
        click.echo(json.dumps(*reports.values(), indent=2))
    else:
        each = [EffectOfRun(**report, run=visible(name)) for name, report in reports.items()]
        click.echo(json.dumps(EffectsReport(runs=each, combined=combined), indent=2))


def _combined(fleets: Mapping[str, FleetState]) -> EffectReport | None:
    if not are_parts_of_one_whole({name: shard_of(fleet.runs()) for name, fleet in fleets.items()}):
        return None
    from virnucpro_bus.fold.fleet_group import FleetGroup

    is_simulated = any(fleet.is_simulated for fleet in fleets.values())
    return EffectReport(**FleetGroup(fleets).get_effect(), simulated=is_simulated)


def _paragraphs(
    fleets: Mapping[str, FleetState], reports: Mapping[str, EffectReport], combined: EffectReport | None
) -> list[str]:
    paragraphs = []
    for name, report in reports.items():
        head = f"{heading(name, fleets[name])}\n" if len(reports) > 1 else ""
        paragraphs.append(head + report_paragraph(report))
        if report["simulated"]:
            paragraphs.append(SIMULATED)
    if combined is not None:
        paragraphs.append(f"all {len(reports)} shards together\n{figures_paragraph(combined)}")
    return paragraphs
