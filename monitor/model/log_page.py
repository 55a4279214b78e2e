"""The end of a log of a run, as plain data, and what a dashboard asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class LogPage:
    """The end of one log."""

    name: str
    """Its path in the run folder, as it is on disk."""
    number: int
    """Which of the run's logs it is, from 0, the one that was last written first."""
    total: int
    """How many there are."""
    size_bytes: int
    lines: tuple[str, ...]
    """Its last lines, oldest first, safe to be printed."""


class LogSource(Protocol):
    """Where a dashboard gets logs. Never raises; for one thread."""

    def page(self, number: int) -> LogPage | None:
        """Return log `number`, modulo their number; None without any."""
        ...

    def of_files(self, files: Iterable[str]) -> LogPage | None:
        """Return the log of the last attempt at the first of `files` that has one; None: none has."""
        ...

    def of_worker(self, worker: str) -> LogPage | None:
        """Return what the worker of this source has printed itself; None: nothing, or it is not known."""
        ...
