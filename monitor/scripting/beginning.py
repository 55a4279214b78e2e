"""Waits until there is a run to follow, in a folder that may not exist yet."""

from __future__ import annotations

import select
from collections.abc import Iterable
from pathlib import Path

from monitor.runs.row import RUNNING, STARTING, row_of
from virnucpro_bus.system.console import say
from virnucpro_bus.system.signals import SignalFlag

LOOK_EVERY_SECONDS = 0.5


def wait_for_runs(folders: Iterable[str], signals: SignalFlag) -> None:
    """Return when each of the folders has a run, live or past, or when a signal has arrived."""
    for folder in folders:
        has_said = False
        while not signals.signal and not _has_run(Path(folder)):
            if not has_said:
                has_said = True
                say(f"{folder}: waiting for a run to begin")
            select.select([signals.fileno()], [], [], LOOK_EVERY_SECONDS)


def _has_run(folder: Path) -> bool:
    row = row_of(folder)
    if row is not None and row["state"] != RUNNING:
        # One that was taken for over may have begun between two looks at its files.
        row = row_of(folder)
    return row is not None and row["state"] != STARTING
