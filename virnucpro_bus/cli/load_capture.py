"""Loads a recorded run for the commands that compute figures from it, and warns of what is missing in it."""

from __future__ import annotations

from pathlib import Path

import click

from virnucpro_bus.cli.options import PathArgument
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.run_folder import capture_path
from virnucpro_bus.sources.recording import play_whole, warnings_of
from virnucpro_bus.system.console import say
from virnucpro_bus.text import visible

SIMULATED = "simulated GPUs: the workers on them used the CPU"
"""What commands add to the figures of a run on simulated GPUs."""
capture_argument = click.argument("capture", type=PathArgument(path_type=Path))
"""The path of a run.vbus file or of a run folder, for `load_capture`."""


def load_capture(capture: Path) -> FleetState:
    """Fold the capture in a file or a run folder as `replay` does, and print on stderr what is missing in it.

    Raises CaptureError when it is not a capture, UserError when it contains no event.
    """
    path = capture_path(capture)
    playback = play_whole(path, SystemClock())
    fleet = playback.fleet
    for warning in warnings_of(playback):
        say(f"{path}: {warning}")
    if not fleet.get_totals()["events_received"]:
        raise UserError(f"{visible(str(path))}: contains no events")
    return fleet
