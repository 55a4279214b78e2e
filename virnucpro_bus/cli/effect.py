"""The `effect` subcommand: shows what work stealing changed in a recorded run."""

from __future__ import annotations

import json
from pathlib import Path

import click

from virnucpro_bus.cli.load_capture import SIMULATED, capture_argument, load_capture
from virnucpro_bus.effect.text_report import report_paragraph
from virnucpro_bus.metrics import Effect


class EffectReport(Effect):
    """The object that `effect --json` prints."""

    simulated: bool
    """Whether any device of the run is a simulated GPU."""


@click.command(short_help="Show whether work stealing helped.")
@capture_argument
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def effect(capture: Path, as_json: bool) -> None:
    """Show what work stealing changed in the run in CAPTURE (a run.vbus file or a run folder).

    How long the run took, how long it would have taken if every device had processed the files that were first
    assigned to it, the lower bound, how long devices were idle, and what each steal saved or lost. Unknown is n/a.

    \b
    Examples:
      virnucpro-bus effect first-run
      virnucpro-bus effect first-run/run.vbus --json
    """
    fleet = load_capture(capture)
    figures = fleet.get_effect()
    if as_json:
        click.echo(json.dumps(EffectReport(**figures, simulated=fleet.is_simulated), indent=2))
    else:
        click.echo(report_paragraph(figures) + (f"\n\n{SIMULATED}" if fleet.is_simulated else ""))
