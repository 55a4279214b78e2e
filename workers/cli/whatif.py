"""The subcommand `whatif`: a recorded run with another policy, other devices or other weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from virnucpro_bus.cli.load_capture import capture_argument, load_capture
from virnucpro_bus.text import visible
from virnucpro_bus.units import duration
from workers.schedule.policy_registry import POLICIES
from workers.whatif.recorded_run import make_recorded_run
from workers.whatif.scenarios import Alternative, Variation, WhatIf, what_if

MOST_DEVICES = 4096


@click.command(short_help="Tell how long a recorded run would have taken otherwise.")
@capture_argument
@click.option("--policy", type=click.Choice(POLICIES),
              help="With this policy; all of them by default.")  # fmt: skip
@click.option("--devices", type=click.IntRange(1, MOST_DEVICES), metavar="N",
              help="With so many devices: the first ones, or more of middling speed.")  # fmt: skip
@click.option("--weights", metavar="SPEC",
              help="Assigned anew by these weights: auto (by name), off, or 1.0,1.5,...")  # fmt: skip
@click.option("--drop", multiple=True, metavar="DEVICE", help="Without this device; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def whatif(
    capture: Path,
    policy: str | None,
    devices: int | None,
    weights: str | None,
    drop: Sequence[str],
    as_json: bool,
) -> None:
    """Tell how long the run in CAPTURE (a run.vbus file, or a run folder) would have taken otherwise.

    Its files, with the time that each one took, are worked off in a simulator: under every policy, and on half and
    double the devices, or as the options say. Nothing is run.

    \b
    Examples:
      virnucpro-bus whatif first-run
      virnucpro-bus whatif first-run --devices 8 --policy cost
      virnucpro-bus whatif first-run/run.vbus --drop cuda:3 --json
    """
    found = what_if(make_recorded_run(load_capture(capture)), Variation(policy, devices, weights, drop))
    click.echo(json.dumps(found, indent=2) if as_json else _as_text(found))


def _as_text(found: WhatIf) -> str:
    rows = [found["recorded"], *found["alternatives"]]
    head = ("what", "policy", "devices", "makespan", "idle", "device time", "steals")
    table = [head, *map(_cells, rows)]
    wide = [max(len(row[column]) for row in table) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, wide, strict=True))
        )
        for row in table
    ]
    if found["files_left_out"]:
        lines.append(f"{found['files_left_out']} of the planned files were not completed, and are left out")
    return "\n".join(lines)


def _cells(row: Alternative) -> tuple[str, ...]:
    return (
        row["name"],
        visible(row["policy"]),
        str(row["devices"]),
        duration(row["makespan_seconds"]),
        duration(row["idle_seconds"]),
        duration(row["device_seconds"]),
        str(row["steals"]),
    )
