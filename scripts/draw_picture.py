"""Draws the dashboard of a recorded run as an SVG file. The same capture always gives the same bytes."""

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
"""Between two samples, as in a live dashboard: the trends are made of them."""

_REMOTE_FONT = re.compile(r"@font-face\s*\{[^}]*\}\s*")


def main() -> None:
    """Draw the picture that the command line asks for."""
    parser = argparse.ArgumentParser(prog="scripts/picture", description=__doc__)
    parser.add_argument("capture", type=Path, help="the capture to draw, a run.vbus file")
    parser.add_argument("svg", type=Path, help="the file to write")
    parser.add_argument(
        "--at",
        type=float,
        metavar="SECONDS",
        help="seconds after the start of the recording (default: at its end)",
    )
    parser.add_argument("--title", help="name of the run in the title (default: the capture's folder)")
    parser.add_argument("--width", type=int, default=120, help="cells per line (default: 120)")
    parser.add_argument("--height", type=int, default=30, help="lines (default: 30)")
    options = parser.parse_args()
    # Times of day must not depend on the time zone of this machine.
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        title = options.title or options.capture.resolve().parent.name
        model = model_at(options.capture, options.at, title)
    except (BusError, OSError) as error:
        sys.exit(f"scripts/picture: {error}")
    console = Console(
        file=io.StringIO(), record=True, width=options.width, force_terminal=True, color_system="truecolor"
    )
    for text in frame(model, options.width, options.height):
        console.print(text, soft_wrap=True)
    drawn = console.export_svg(title=f"virnucpro-bus monitor {title}", unique_id="dashboard")
    # The picture must not fetch anything: any monospaced font is good enough.
    options.svg.write_text(_REMOTE_FONT.sub("", drawn), encoding="utf-8")


def model_at(path: Path, seconds: float | None, title: str) -> ViewModel:
    """Return what a dashboard shows `seconds` after the start of the recording; None: at its end."""
    clock = ManualClock()
    fleet = FleetState(clock)
    collector = Collector(fleet, fleet, clock, Failures())
    start_ns = due_ns = 0
    latest = nothing_yet(0, title)
    for record in CaptureReader(path):
        start_ns = start_ns or record.received_ns
        if seconds is not None and record.received_ns - start_ns > seconds * NANOSECONDS:
            break
        clock.wall = clock.mono = record.received_ns
        fleet.feed([record.frame], record.received_ns)
        if record.received_ns >= due_ns:
            latest = collector.collect(title, None)
            due_ns = record.received_ns + INTERVAL_NS
    return collector.collect(title, None) if start_ns else latest


if __name__ == "__main__":
    main()
