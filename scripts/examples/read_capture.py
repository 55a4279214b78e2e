"""Read the capture of a run: what each device has completed, and every steal.

A capture holds every event of a run. `fold_capture` makes of it what a dashboard shows, with all corrections (an
event that was received twice, a file that was started over). The events themselves are there to be read, too.

    virnucpro-bus run samples/ --out run1
    python scripts/examples/read_capture.py run1
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from virnucpro_bus import CaptureReader, Envelope, SystemClock, fold_capture
from virnucpro_bus.events import WorkStolen
from virnucpro_bus.events.codec import decode
from virnucpro_bus.text import visible


def events_in(capture: Path) -> Iterator[Envelope]:
    """Yield the events of a capture, in the order in which they were received."""
    for record in CaptureReader(capture):
        envelope = decode(record.frame)
        if isinstance(envelope, Envelope):  # else of a kind that only a newer version knows
            yield envelope


def main() -> None:
    """Print one line a device, then one line a steal."""
    parser = argparse.ArgumentParser(description="Print what each device has completed, and every steal.")
    parser.add_argument("run_folder", type=Path)
    capture = parser.parse_args().run_folder / "run.vbus"
    fleet = fold_capture(capture, SystemClock())
    # Names come from outside: `visible` writes out what would drive a terminal.
    for row in fleet.get_gpu_metrics():
        key = row["uuid"] or row["device_id"]  # as events name the device: a GPU by its UUID
        print(visible(f"{key}  {row['files_completed']} files  {row['sequences']} sequences"))
    for envelope in events_in(capture):
        if isinstance(steal := envelope.event, WorkStolen):
            print(visible(f"{steal.thief} <- {steal.victim}  {steal.file}"))


if __name__ == "__main__":
    main()
