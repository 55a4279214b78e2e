"""What a comparison of a recorded run with simulated ones contains, and where it is found.

The scheduler that is simulated belongs to the workers: an entry point of the group names a `Comparison`, so that
viewers find it without importing them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypedDict

from virnucpro_bus.metrics import Range

if TYPE_CHECKING:
    from virnucpro_bus.fold.fleet import FleetState

WHATIF_GROUP = "virnucpro_bus.whatif"


class Alternative(TypedDict):
    """One run of the comparison, recorded or simulated."""

    name: str
    policy: str
    """"" when it is unknown."""
    devices: int
    """How many."""
    makespan_seconds: float | None
    """From the start of the first file to the end of the last; None when no device is left for some file."""
    makespan_range: Range | None
    """What it is likely between; None for the recorded run, and when the makespan is None."""
    idle_seconds: float | None
    """Of all devices together; None when the makespan is None."""
    device_seconds: float | None
    """The makespan times the number of devices, less what late ones missed; None when the makespan is None."""
    steals: int


class WhatIf(TypedDict):
    """The object that `whatif --json` prints."""

    files: int
    """How many files were completed, and so are simulated."""
    files_left_out: int
    """How many planned files were not completed."""
    recorded: Alternative
    """The run as it was."""
    alternatives: list[Alternative]
    note: str | None
    """What people have to know of the comparison, in one line; None: nothing."""


Comparison: TypeAlias = "Callable[[FleetState], WhatIf]"
"""Compares a recorded run with all policies, and with half and double the devices. Raises UserError."""


def find_comparison() -> Comparison | None:
    """Import the installed comparison; None when there is none."""
    from importlib.metadata import entry_points  # takes long to load

    for point in entry_points(group=WHATIF_GROUP):
        comparison: Comparison = point.load()
        return comparison
    return None
