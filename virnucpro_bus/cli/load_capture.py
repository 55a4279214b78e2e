"""A recorded run, for the commands that figure something out from it: its fold, and what that lacks."""

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
from virnucpro_bus.sources.replay import Replay
from virnucpro_bus.system.console import say
from virnucpro_bus.text import visible

NAMED = 4
"""How many sources are named before "and N more"."""


capture_argument = click.argument("capture", type=PathArgument(path_type=Path))
"""Gives the path of a run.vbus file or of a run folder, for `load_capture`."""


def load_capture(capture: Path) -> FleetState:
    """All that is recorded in a run.vbus file, or in that of a run folder; says on stderr what is missing there.

    Raises CaptureError when it is no capture, UserError when there is not one event in it.
    """
    path = capture_path(capture)
    replay = Replay(path, SystemClock(), rate=None)
    fleet = FleetState(replay)
    # What is folded stays to the end: to look through it for garbage, again and again, would take a fifth longer.
    gc.disable()
    try:
        while not replay.ended:
            fleet.feed(*replay.receive(0.0))
    finally:
        gc.freeze()
        gc.enable()
    for line in _what_is_missing(replay, fleet):
        say(f"{path}: {line}")
    if not fleet.get_totals()["events_received"]:
        raise UserError(f"{visible(str(path))}: no events are recorded there")
    return fleet


def _what_is_missing(replay: Replay, fleet: FleetState) -> Iterator[str]:
    scanner = replay.reader.scanner
    if bytes_lost := scanner.skipped_bytes + scanner.incomplete_bytes:
        yield f"{bytes_lost} bytes are damaged or cut off; the figures lack what they held"
    if lossy := fleet.lossy_sources():
        lost = sum(source["lost"] for source in lossy)
        names = [f"{source['source']} of {source['host']}: {source['lost']}" for source in lossy[:NAMED]]
        more = [f"and {len(lossy) - NAMED} more"] if len(lossy) > NAMED else []
        yield f"{lost} events are not recorded ({', '.join(names + more)}); the figures lack what they told"
    yield from fleet.stream_warnings()
