"""Recordings of runs that were never written to a file."""

from __future__ import annotations

from pathlib import Path

from virnucpro_bus.clock import ManualClock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.sources.recording import Recording
from virnucpro_bus.testing import Script
from virnucpro_bus.timeline.observers import observed_by
from virnucpro_bus.timeline.recorder import TimelineRecorder


def recorded(*scripts: Script, path: str = "run.vbus") -> Recording:
    """One run, with the events of all of its hosts."""
    recorder = TimelineRecorder()
    fleet = FleetState(ManualClock(), handlers=observed_by(recorder.observers()))
    for script in scripts:
        fleet.feed(script.frames())
    return Recording(Path(path), fleet, recorder.finish(fleet.hosts()), ())
