"""When the state of a run is printed as a plain line: at intervals, at once with news, and at the end. Pure."""

from __future__ import annotations

from monitor.model.view_model import ViewModel
from virnucpro_bus.clock import NANOSECONDS

LINE_SECONDS = 30.0
"""The interval by default: a log of a run of a day has some thousand lines."""


class LineRhythm:
    """Decides which states of a run are printed. One thread."""

    def __init__(self, interval_seconds: float = LINE_SECONDS) -> None:
        self._interval_ns = round(interval_seconds * NANOSECONDS)
        self._due_ns: int | None = None
        self._printed: ViewModel | None = None
        """The state that was printed last."""

    def is_due(self, model: ViewModel, now_ns: int) -> bool:
        """Whether `model` is to be printed at `now_ns` of a monotonic clock."""
        return self._due_ns is None or now_ns >= self._due_ns or bool(model.news)

    def note_printed(self, model: ViewModel, now_ns: int) -> None:
        """Begin the next interval, as `model` was printed."""
        self._due_ns = now_ns + self._interval_ns
        self._printed = model

    def is_last_due(self, model: ViewModel) -> bool:
        """Whether `model`, the last state, says more than the line before it."""
        printed = self._printed
        if printed is None or not model.end or model.news:
            return True
        return (printed.end, printed.totals) != (model.end, model.totals)
