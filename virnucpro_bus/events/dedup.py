"""Each event once: what a hub and a recorder let through, and what they know to be missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.sequence import SequenceTracker


class Deduplicator:
    """Keeps out what is no event and what has been here before. Not thread-safe."""

    def __init__(self) -> None:
        self.accepted = 0
        """Different events so far."""
        self.refused: Counter[str] = Counter()
        """Frames that were no events, by FrameError.reason."""
        self._seen: dict[tuple[str, str, int], SequenceTracker] = {}

    def filter(self, frames: Iterable[bytes]) -> list[bytes]:
        """Those of `frames` that are events and have not been here before, in their order."""
        fresh = []
        seen = self._seen
        for frame in frames:
            try:
                envelope = decode(frame)
            except FrameError as error:
                self.refused[error.reason] += 1
                continue
            stream = (envelope.source, envelope.host, envelope.epoch)
            tracker = seen.get(stream)
            if tracker is None:
                tracker = seen[stream] = SequenceTracker()
            seq = envelope.seq
            # The next number in line, which is nearly every event, is not worth a call.
            if seq == tracker.expected:
                tracker.expected = seq + 1
            elif not tracker.add(seq):
                continue
            fresh.append(frame)
        self.accepted += len(fresh)
        return fresh

    def received(self, source: str, host: str, epoch: int) -> int:
        """Different events of one stream so far."""
        tracker = self._seen.get((source, host, epoch))
        return 0 if tracker is None else tracker.received

    @property
    def lost(self) -> int:
        """Events that are known to have been published and have not come."""
        return sum(tracker.lost for tracker in self._seen.values())
