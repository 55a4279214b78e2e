"""Draws the dashboard of a recorded run as an SVG; the same capture gives the same bytes."""

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
"""Time between two updates of a live dashboard: its trends are made of these."""

_REMOTE_FONT = re.compile(r"@font-face\s*\{[^}]*\}\s*")


def main() -> None:
    """Draw the picture that the command line describes."""
    parser = argparse.ArgumentParser(prog="scripts/picture", description=__doc__)
    parser.add_argument("capture", type=Path, help="capture of the run, a run.vbus file")
    parser.add_argument("svg", type=Path, help="file to write")
    parser.add_argument(
        "--at", type=float, metavar="SECONDS", help="seconds since the start of the recording (default: its end)"
    )
    parser.add_argument("--title", help="name of the run (default: the folder of the capture)")
    parser.add_argument("--width", type=int, default=120, help="columns (default: %(default)s)")
    parser.add_argument("--height", type=int, default=30, help="lines (default: %(default)s)")
    options = parser.parse_args()
    # Times of day must not depend on the time zone of this machine.
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        title = options.title or options.capture.resolve().parent.name
        model = view_at(options.capture, options.at, title)
    except (BusError, OSError) as error:
        sys.exit(f"scripts/picture: {error}")
    console = Console(
        file=io.StringIO(), record=True, width=options.width, force_terminal=True, color_system="truecolor"
    )
    for text in frame(model, options.width, options.height):
        console.print(text, soft_wrap=True)
    drawn = console.export_svg(title=f"virnucpro-bus monitor {title}", unique_id="dashboard")
    # The picture must not download anything: any monospaced font will do.
    options.svg.write_text(_REMOTE_FONT.sub("", drawn), encoding="utf-8")


def view_at(path: Path, seconds: float | None, title: str) -> ViewModel:
    """Return what a dashboard shows this long after the start of the recording (None: at its end)."""
    clock = ManualClock()
    fleet = FleetState(clock)
    collector = Collector(fleet, fleet, clock, Failures())
    start_ns = next_ns = 0
    latest = nothing_yet(0, title)
    for record in CaptureReader(path):
        start_ns = start_ns or record.received_ns
        if seconds is not None and record.received_ns - start_ns > seconds * NANOSECONDS:
            break
        clock.wall = clock.mono = record.received_ns
        fleet.feed([record.frame], record.received_ns)
        if record.received_ns >= next_ns:
            latest = collector.collect(title, None)
            next_ns = record.received_ns + INTERVAL_NS
    return collector.collect(title, None) if start_ns else latest


if __name__ == "__main__":
    main()
