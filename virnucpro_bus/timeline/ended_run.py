"""What the summary of a run needs: its fold, its last files by single samples, and what is on record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from virnucpro_bus.capture.info import CaptureInfo
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.metrics import FileRecord
from virnucpro_bus.timeline.assembly import Assembly, CollectedEvents
from virnucpro_bus.timeline.attempt_figures import exact_files
from virnucpro_bus.timeline.sample_columns import SampleColumns
from virnucpro_bus.timeline.timeline import DeviceKey


@dataclass(frozen=True)
class EndedRun:
    """A run at its end. Safe to read from any thread."""

    fleet: FleetState
    """Its state, with the time of the last record as now."""
    files: list[FileRecord]
    """The last 100 completed files, with figures by single samples."""
    info: CaptureInfo
    """What its capture contains."""
    ended_ns: int
    """When the last record was received."""
    stamp: tuple[int, int, int] | None
    """See `stamp_of`: of the capture that all this is about."""


def last_files(fleet: FleetState, samples: Mapping[DeviceKey, SampleColumns]) -> list[FileRecord]:
    """Return the last 100 completed files that a fleet has folded, with their figures by `samples`.

    These are not settled, and reach back to the beginning of these files. To be called once.
    """
    hosts = fleet.hosts()
    ended = [completed for host in hosts for completed in host.completions()]
    timeline = Assembly(CollectedEvents(ended=ended, samples=dict(samples)), hosts).timeline()
    return exact_files(timeline, fleet.files())
