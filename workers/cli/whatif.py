"""The subcommand `whatif`: simulates recorded runs with other policies, devices or weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import click

from virnucpro_bus.cli.load_capture import SIMULATED, heading, load_runs
from virnucpro_bus.cli.options import runs_argument
from virnucpro_bus.text import visible
from virnucpro_bus.units import duration, likely_duration
from virnucpro_bus.whatif import Alternative, WhatIf
from workers.schedule.policy_registry import POLICIES

MAX_DEVICES = 4096
LEFT_COLUMNS = (0, 1, 4)
"""The columns that are aligned at the left: what, policy, and the range of the makespan."""


class WhatIfReport(WhatIf):
    """The object that `whatif --json` prints of one run."""

    simulated: bool
    """Whether any device of the recorded run is a simulated GPU."""


class WhatIfOfRun(WhatIfReport):
    """One of several runs."""

    run: str
    """The name of its folder or file; its path where two have the same."""


class WhatIfsReport(TypedDict):
    """The object that `whatif --json` prints of several runs, each by itself."""

    runs: list[WhatIfOfRun]


@click.command
@runs_argument
@click.option("--policy", type=click.Choice(POLICIES),
              help="The policy to simulate.  [default: all of them]")  # fmt: skip
@click.option("--devices", type=click.IntRange(1, MAX_DEVICES), metavar="N",
              help="The number of devices: the first N of the run, or all and further ones of median speed.  "
              "[default: as many as the run had, half and double]")  # fmt: skip
@click.option("--weights", metavar="SPEC",
              help="Weights for a new first assignment: auto (by GPU name), off (equal), or 1.0,1.5,...  "
              "[default: the recorded assignment, or auto for other devices]")  # fmt: skip
@click.option("--drop", multiple=True, metavar="DEVICE", help="A device to leave out; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def whatif(
    runs: Sequence[Path],
    policy: str | None,
    devices: int | None,
    weights: str | None,
    drop: Sequence[str],
    as_json: bool,
) -> None:
    """Estimate how long each recorded RUN would have taken under other policies.

    RUN is a run.vbus file or a run folder. A simulator processes its files, with the time that each one took:
    under every policy, and on half and double the devices, or as the options say. No job is run. Of several runs
    each is simulated by itself.

    \b
    Examples:
      virnucpro-bus whatif first-run
      virnucpro-bus whatif first-run --devices 8 --policy cost
      virnucpro-bus whatif first-run/run.vbus --drop cuda:3 --json
    """
    from workers.cli.simulations import simulate_side_by_side
    from workers.whatif.recorded_run import make_recorded_run
    from workers.whatif.scenarios import Variation, what_if

    variation = Variation(policy, devices, weights, drop)
    fleets = load_runs(runs)
    reports = {
        name: WhatIfReport(
            **what_if(make_recorded_run(fleet), variation, simulate_side_by_side), simulated=fleet.is_simulated
        )
        for name, fleet in fleets.items()
    }
    if len(reports) == 1:
        (report,) = reports.values()
        click.echo(json.dumps(report, indent=2) if as_json else _as_text(report))
    elif as_json:
        each = [WhatIfOfRun(**report, run=visible(name)) for name, report in reports.items()]
        click.echo(json.dumps(WhatIfsReport(runs=each), indent=2))
    else:
        texts = (f"{heading(name, fleets[name])}\n{_as_text(report)}" for name, report in reports.items())
        click.echo("\n\n".join(texts))


def _as_text(found: WhatIfReport) -> str:
    rows = [found["recorded"], *found["alternatives"]]
    head = ("what", "policy", "devices", "makespan", "", "idle", "device time", "steals")
    table = [head, *map(_cells, rows)]
    wide = [max(len(row[column]) for row in table) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if column in LEFT_COLUMNS else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, wide, strict=True))
        )
        for row in table
    ]
    if found["files_left_out"]:
        lines.append(f"planned files left out because they were not completed: {found['files_left_out']}")
    if found["note"] is not None:
        lines.append(found["note"])
    if found["simulated"]:
        lines.append(SIMULATED)
    return "\n".join(lines)


def _cells(row: Alternative) -> tuple[str, ...]:
    makespan, opening, likely = likely_duration(row["makespan_seconds"], row["makespan_range"]).partition(" (")
    return (
        row["name"],
        visible(row["policy"]),
        str(row["devices"]),
        makespan,
        opening.strip() + likely,
        duration(row["idle_seconds"]),
        duration(row["device_seconds"]),
        str(row["steals"]),
    )
