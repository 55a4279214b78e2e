"""The subcommand `effect`: what stealing has done for a recorded run."""

from __future__ import annotations

import json
from pathlib import Path

import click

from virnucpro_bus.cli.load_capture import capture_argument, load_capture
from virnucpro_bus.effect.text_report import report_paragraph


@click.command(short_help="Tell whether stealing helped.")
@capture_argument
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def effect(capture: Path, as_json: bool) -> None:
    """Tell what stealing has done for the run in CAPTURE (a run.vbus file, or a run folder).

    How long it took, how long it would have taken had every device worked off the files that it was first given,
    how fast it could have been at best, who was idle, and what each steal has saved or lost. Unknown is n/a.

    \b
    Examples:
      virnucpro-bus effect first-run
      virnucpro-bus effect first-run/run.vbus --json
    """
    found = load_capture(capture).get_effect()
    click.echo(json.dumps(found, indent=2) if as_json else report_paragraph(found))
