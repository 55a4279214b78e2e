"""The `info` subcommand: shows what a capture contains."""

from __future__ import annotations

import json
from pathlib import Path

import click

from virnucpro_bus.capture.info import CaptureInfo, capture_info
from virnucpro_bus.cli.options import PathArgument
from virnucpro_bus.clock import iso_utc
from virnucpro_bus.run_folder import capture_path
from virnucpro_bus.text import visible


@click.command(short_help="Show what a capture contains.")
@click.argument("capture", type=PathArgument(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def info(capture: Path, as_json: bool) -> None:
    """Show what CAPTURE (a run.vbus file or a run folder) contains: runs, devices, events by kind, damage.

    \b
    Example:
      virnucpro-bus info my-run/run.vbus
    """
    found = capture_info(capture_path(capture))
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(_as_text(found))


def _as_text(found: CaptureInfo) -> str:
    started = "never" if found["started_ns"] is None else iso_utc(found["started_ns"])
    simulated = " (simulated)" if found["simulated"] else ""
    lines = [
        f"capture   {visible(found['path'])} ({found['size_bytes']} bytes)",
        f"runs      {', '.join(map(visible, found['runs'])) or 'none announced'}",
        f"hosts     {', '.join(map(visible, found['hosts'])) or 'none'}",
        f"devices   {', '.join(map(visible, found['devices'])) or 'none'}{simulated}",
        f"started   {started}",
        f"duration  {found['duration_seconds']:.1f} s",
        f"ending    {found['ending'] or 'unknown: no run was announced'}",
        f"events    {found['events']}",
        *(f"  {visible(kind):<20} {count}" for kind, count in found["events_by_kind"].items()),
    ]
    if found["damaged_places"] or found["skipped_bytes"] or found["refused_frames"]:
        lines.append(
            f"damage    {found['damaged_places']} places, {found['skipped_bytes']} bytes skipped, "
            f"{found['refused_frames']} records that are not events"
        )
    else:
        lines.append("damage    none")
    if found["holes"]:
        lines.append(f"holes     {found['holes']}, {found['unrecorded_frames']} events were not recorded")
    return "\n".join(lines)
