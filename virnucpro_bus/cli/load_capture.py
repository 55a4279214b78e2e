"""Loads a recorded run for the commands that compute figures from it, and warns of what is missing in it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import click

from virnucpro_bus.cli.options import PathArgument
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.run_folder import capture_path
from virnucpro_bus.sources.playback import Playback
from virnucpro_bus.sources.replay import Replay
from virnucpro_bus.system.console import say
from virnucpro_bus.text import visible

MAX_NAMED_SOURCES = 4
"""How many sources a warning names before "and N more"."""

SIMULATED = "simulated GPUs: the workers on them used the CPU"
"""What commands add to the figures of a run on simulated GPUs."""
capture_argument = click.argument("capture", type=PathArgument(path_type=Path))
"""The path of a run.vbus file or of a run folder, for `load_capture`."""


def load_capture(capture: Path) -> FleetState:
    """Fold the capture in a file or a run folder as `replay` does, and print on stderr what is missing in it.

    Raises CaptureError when it is not a capture, UserError when it contains no event.
    """
    path = capture_path(capture)
    playback = Playback(Replay(path, SystemClock(), rate=None))
    # Everything that is folded stays in use: searching it for garbage again and again takes a fifth longer.
    gc.disable()
    try:
        playback.run(lambda: False)
    finally:
        gc.freeze()
        gc.enable()
    fleet = playback.fleet
    for warning in _warnings(playback):
        say(f"{path}: {warning}")
    if not fleet.get_totals()["events_received"]:
        raise UserError(f"{visible(str(path))}: contains no events")
    return fleet


def _warnings(playback: Playback) -> Iterator[str]:
    scanner, fleet = playback.replay.reader.scanner, playback.fleet
    if bytes_lost := scanner.skipped_bytes + scanner.incomplete_bytes:
        yield f"{bytes_lost} bytes are damaged or cut off; the figures lack their events"
    if lossy := fleet.lossy_sources():
        lost = sum(source["lost"] for source in lossy)
        names = [
            f"{source['source']} of {source['host']}: {source['lost']}" for source in lossy[:MAX_NAMED_SOURCES]
        ]
        more = [f"and {len(lossy) - MAX_NAMED_SOURCES} more"] if len(lossy) > MAX_NAMED_SOURCES else []
        yield f"{lost} events are not recorded ({', '.join(names + more)}); the figures lack them"
    if (note := playback.ending_note) is not None:
        yield note
    yield from fleet.stream_warnings()
