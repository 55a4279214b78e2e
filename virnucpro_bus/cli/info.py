"""The `info` subcommand: shows what captures contain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from virnucpro_bus.cli.load_capture import warn_of_shards
from virnucpro_bus.cli.options import runs_argument
from virnucpro_bus.clock import iso_utc
from virnucpro_bus.run_folder import capture_path, fold_path, names_of
from virnucpro_bus.sources.shards import shard_text
from virnucpro_bus.text import visible

if TYPE_CHECKING:
    from virnucpro_bus.capture.info import CaptureInfo


@click.command
@runs_argument
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def info(runs: Sequence[Path], as_json: bool) -> None:
    """Show what each RUN (a run.vbus file or a run folder) contains: runs, devices, events by kind, damage.

    \b
    Examples:
      virnucpro-bus info my-run/run.vbus
      virnucpro-bus info out/*
    """
    from virnucpro_bus.capture.info import InfosReport

    found = [_find_info(capture_path(run)) for run in runs]
    warn_of_shards(dict(zip(names_of(runs), (each["shard"] for each in found), strict=True)))
    if as_json:
        click.echo(json.dumps(found[0] if len(found) == 1 else InfosReport(runs=found), indent=2))
    else:
        click.echo("\n\n".join(map(_as_text, found)))


def _find_info(capture: Path) -> CaptureInfo:
    """Return what is known of a capture, without reading it if its fold is kept."""
    from virnucpro_bus.capture.info import capture_info

    if fold_path(capture).exists():
        from virnucpro_bus.sources.kept_fold import read_kept_info

        if (kept := read_kept_info(capture)) is not None:
            return kept
    return capture_info(capture)


def _as_text(found: CaptureInfo) -> str:
    started = "never" if found["started_ns"] is None else iso_utc(found["started_ns"])
    shard = found["shard"]
    simulated = " (simulated)" if found["simulated"] else ""
    lines = [
        f"capture   {visible(found['path'])} ({found['size_bytes']} bytes)",
        f"runs      {', '.join(map(visible, found['runs'])) or 'none announced'}",
        f"hosts     {', '.join(map(visible, found['hosts'])) or 'none'}",
        f"devices   {', '.join(map(visible, found['devices'])) or 'none'}{simulated}",
        *([f"shard     {shard_text(shard)}"] if shard else []),
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
