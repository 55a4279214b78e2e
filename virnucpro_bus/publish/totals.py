"""What the heartbeats of a worker carry: its state, and the totals of its stream."""

from __future__ import annotations

from virnucpro_bus.events.vocabulary import (
    MAX_COUNT,
    STARTING,
    Fact,
    FileCompleted,
    FileFailed,
    FileProgress,
    FileStarted,
    Heartbeat,
    WorkStolen,
)
from virnucpro_bus.system.process_usage import UNKNOWN_USAGE, ProcessUsage


class Totals:
    """Counts the events of one worker. One thread at a time."""

    def __init__(self, device_key: str, *, loading: bool) -> None:
        """`loading`: the worker is not ready for files before `ready` is called."""
        self._device_key = device_key
        self._state = STARTING if loading else "idle"
        self._completed = self._failed = self._sequences = self._steals = 0
        self.rejected = 0
        """Events that were dropped because they could not be made or encoded."""

    def ready(self) -> None:
        """Note that the worker can process files."""
        self._state = "idle"

    def add(self, event: Fact) -> None:
        """Count `event`; one of another kind changes nothing."""
        # The kinds have no subclasses, and isinstance takes three times as long to find that it is none.
        if type(event) is FileProgress:
            return  # by far the most frequent
        if type(event) is FileCompleted:
            self._completed += 1
            self._sequences += event.sequences
            self._state = "idle"
        elif type(event) is FileStarted:
            self._state = "busy"
        elif type(event) is FileFailed:
            self._failed += event.final
            self._state = "idle"
        elif type(event) is WorkStolen:
            self._steals += 1

    def heartbeat(self, unsent: int, usage: ProcessUsage = UNKNOWN_USAGE) -> Heartbeat:
        """Return the heartbeat for now; `unsent` events could be made but not sent.

        `usage` is that of this process.
        """
        return Heartbeat(
            self._device_key,
            self._state,
            self._completed,
            self._failed,
            min(self._sequences, MAX_COUNT),
            self._steals,
            unsent + self.rejected,
            *usage,
        )
