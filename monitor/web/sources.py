"""What the listener asks for what it serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from virnucpro_bus.fold.report import FleetReport


@dataclass(frozen=True)
class PageSources:
    """Where the content of each path comes from. All are called from any thread, and may raise anything."""

    report: Callable[[], FleetReport]
    """Returns the object that `--json` prints."""
    metrics: Callable[[str | None], tuple[bytes, str]]
    """Returns the metrics for the Accept header of a scraper, and their content type."""
    state: Callable[[], str]
    """Returns the state of the run in a word."""
