"""The `schema` subcommand: prints the JSON schema of what other subcommands print."""

from __future__ import annotations

import json

import click
import msgspec

from virnucpro_bus.events.json_schema import events_schema
from virnucpro_bus.fold.report import FleetReport

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCHEMAS = {"report": lambda: msgspec.json.schema(FleetReport), "events": events_schema}


@click.command(short_help="Print the JSON schema of a report or of events.")
@click.argument("name", type=click.Choice(list(_SCHEMAS)))
def schema(name: str) -> None:
    """Print a JSON schema (draft 2020-12) of this version's output, with which other programs can check it.

    \b
    report  what `monitor --json` and `replay --json` print, and what summary.json starts with
    events  what `tail --jsonl` prints: one event

    \b
    Example:
      virnucpro-bus schema events > events.schema.json
    """
    click.echo(json.dumps({"$schema": DIALECT, **_SCHEMAS[name]()}, indent=2))
