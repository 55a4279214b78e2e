"""Draws the dashboard of a recorded run, by Rich's SVG export: the same capture gives the same bytes."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import time
from pathlib import Path

from rich.console import Console

from monitor.model.collector import Collector, Failures, nothing_yet
from monitor.model.view_model import ViewModel
from monitor.view.frame import frame
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.errors import BusError
from virnucpro_bus.fold.fleet import FleetState

INTERVAL_NS = 2 * NANOSECONDS
"""Between two looks, as a live dashboard takes them: what its trends are made of."""

_FONT_FROM_ELSEWHERE = re.compile(r"@font-face\s*\{[^}]*\}\s*")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/picture", description=__doc__)
    parser.add_argument("capture", type=Path, help="a run.vbus file")
    parser.add_argument("svg", type=Path)
    parser.add_argument("--at", type=float, metavar="SECONDS", help="of the recording; default: its end")
    parser.add_argument("--title", help="what the run is called; default: the folder of the capture")
    parser.add_argument("--width", type=int, default=120)
    parser.add_argument("--height", type=int, default=30)
    options = parser.parse_args()
    # Times of day must not depend on where the picture is drawn.
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        title = options.title or options.capture.resolve().parent.name
        snapshot = look_at(options.capture, options.at, title)
    except (BusError, OSError) as error:
        sys.exit(f"scripts/picture: {error}")
    console = Console(
        file=io.StringIO(), record=True, width=options.width, force_terminal=True, color_system="truecolor"
    )
    for text in frame(snapshot, options.width, options.height):
        console.print(text, soft_wrap=True)
    drawn = console.export_svg(title=f"virnucpro-bus monitor {title}", unique_id="dashboard")
    # The picture must not fetch anything from anywhere: any monospaced font will do.
    options.svg.write_text(_FONT_FROM_ELSEWHERE.sub("", drawn), encoding="utf-8")


def look_at(path: Path, seconds: float | None, title: str) -> ViewModel:
    """What a dashboard shows so long after the start of the recording (None: at its end)."""
    clock = ManualClock()
    fleet = FleetState(clock)
    sources = Collector(fleet, fleet, clock, Failures())
    start_ns = look_ns = 0
    latest = nothing_yet(0, title)
    for record in CaptureReader(path):
        start_ns = start_ns or record.received_ns
        if seconds is not None and record.received_ns - start_ns > seconds * NANOSECONDS:
            break
        clock.wall = clock.mono = record.received_ns
        fleet.feed([record.frame], record.received_ns)
        if record.received_ns >= look_ns:
            latest = sources.collect(title, None)
            look_ns = record.received_ns + INTERVAL_NS
    return sources.collect(title, None) if start_ns else latest


if __name__ == "__main__":
    main()
