"""The speeds that the last session of a recorded run has measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from virnucpro_bus.clock import Clock
from virnucpro_bus.effect.assumptions import likely_assumptions, measurement_of
from virnucpro_bus.effect.outlook import Outlook
from virnucpro_bus.effect.shares import shares_of, totals_of
from virnucpro_bus.effect.speeds import Speed
from virnucpro_bus.sources.recording import load_fold


class PastSpeeds(NamedTuple):
    """How fast devices were."""

    by_key: Mapping[str, Speed]
    """Of the devices that have completed a file, by key; work as the run estimates it."""
    fixed: int
    """What every file takes besides its own work, as work."""
    noise: float
    """By what share files differ from what their work makes expect."""
    gap_seconds: float
    """What passes between two files of a device."""


def read_speeds(capture: Path, clock: Clock) -> PastSpeeds | None:
    """Return what a capture tells of the speeds of its devices; None: nothing. Raises CaptureError."""
    works = load_fold(capture, clock).fleet.get_work()
    if len(works) != 1 or (totals := totals_of(works[0].log, works[0].status)) is None:
        return None
    status = works[0].status
    shares = shares_of(totals, status)
    assumed = likely_assumptions(shares, status.now_ns, measurement_of(shares))
    measured = {key: speed for key, speed in assumed.speeds.by_key.items() if speed.is_measured}
    if not measured:
        return None
    gap = Outlook(totals, status, shares, assumed).gap
    return PastSpeeds(measured, assumed.fixed, assumed.speeds.noise, gap)
