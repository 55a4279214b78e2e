"""Loads recorded runs for the commands that compute figures from them, and warns of what is missing in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.run_folder import capture_path, names_of
from virnucpro_bus.run_reports import AnnouncedRun, ShardReport
from virnucpro_bus.sources.shards import shard_text, shard_warnings
from virnucpro_bus.system.console import say
from virnucpro_bus.text import visible

if TYPE_CHECKING:
    from virnucpro_bus.fold.fleet import FleetState

SIMULATED = "simulated GPUs: the workers on them used the CPU"
"""What commands add to the figures of a run on simulated GPUs."""


def load_runs(runs: Sequence[Path]) -> dict[str, FleetState]:
    """Load the fold of each run, and print on stderr what is missing; return the folds by short name.

    Raises CaptureError for what is not a capture, UserError for one that contains no event.
    """
    fleets = {name: load_run(place) for name, place in zip(names_of(runs), runs, strict=True)}
    warn_of_shards({name: shard_of(fleet.runs()) for name, fleet in fleets.items()})
    return fleets


def load_run(place: Path) -> FleetState:
    """Load the fold of the run in a file or a folder, and print what is missing in it. Raises as `load_runs`."""
    from virnucpro_bus.sources.recording import load_fold

    path = capture_path(place)
    folded = load_fold(path, SystemClock())
    for warning in folded.warnings:
        say(f"{path}: {warning}")
    fleet = folded.fleet
    if not fleet.get_totals()["events_received"]:
        raise UserError(f"{visible(str(path))}: contains no events")
    return fleet


def heading(name: str, fleet: FleetState) -> str:
    """Return the line above what a command prints of one of several runs."""
    shard = shard_of(fleet.runs())
    return visible(name) + (f" (shard {shard_text(shard)})" if shard else "")


def shard_of(announced: Sequence[AnnouncedRun]) -> ShardReport | None:
    """Return which part of the inputs the first announced run of a capture has; None: all of them, or no run."""
    return announced[0]["shard"] if announced else None


def warn_of_shards(shards: Mapping[str, ShardReport | None]) -> None:
    """Print on stderr if the runs that were given, by name, are not all the shards of one whole."""
    for warning in shard_warnings(shards):
        say(warning)
