"""Each event once: which frames a hub or a recorder keeps, and how many events it knows to be missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.codec import Foreign, decode, decode_all
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.sequence import SequenceTracker

StreamKey = tuple[str, str, int]
"""Source, host and epoch."""


class Watcher(Protocol):
    """Sees some of the events that pass a Deduplicator, and may change their frames."""

    @property
    def kinds(self) -> Collection[type]:
        """The envelopes that it is to see: few, since nearly every event is spared the call."""
        ...

    def meet(self, stream: StreamKey, envelope: Envelope | Foreign) -> None:
        """Take note of a stream, by its first event. This may change `kinds`."""
        ...

    def see(
        self, stream: StreamKey, frame: bytes, envelope: Envelope | Foreign
    ) -> tuple[bytes, Envelope | Foreign]:
        """Return what takes the place of `frame` and of the `envelope` in it, which is one of the kinds."""
        ...


class Deduplicator:
    """Filters out what is not an event, and events received before. Not thread-safe."""

    def __init__(self) -> None:
        self.accepted = 0
        """Different events received so far."""
        self.refused: Counter[str] = Counter()
        """Frames that were kept out, by FrameError.reason or the word that `refusal` returned."""
        self._seen: dict[StreamKey, SequenceTracker] = {}

    def filter(
        self,
        frames: Iterable[bytes],
        refusal: Callable[[Envelope | Foreign], str | None] | None = None,
        watcher: Watcher | None = None,
        decoded: list[Envelope | Foreign] | None = None,
    ) -> list[bytes]:
        """Return those of `frames` that are new events, in order; what is not an event is counted in `refused`.

        `refusal` returns why an event is refused, in one word; None: it is not. Without it no event is refused.
        `watcher` sees the new events, and `decoded` gets them.
        """
        new_frames = []
        seen = self._seen
        kinds: Collection[type] = () if watcher is None else watcher.kinds
        for frame in frames:
            try:
                envelope = decode(frame)
            except FrameError as error:
                self.refused[error.reason] += 1
                continue
            if refusal is not None and (reason := refusal(envelope)) is not None:
                self.refused[reason] += 1
                continue
            stream = (envelope.source, envelope.host, envelope.epoch)
            tracker = seen.get(stream)
            if tracker is None:
                tracker = seen[stream] = SequenceTracker()
                if watcher is not None:
                    watcher.meet(stream, envelope)
                    kinds = watcher.kinds
            seq = envelope.seq
            # Nearly every event has the expected number, and is spared a call.
            if seq == tracker.expected:
                tracker.expected = seq + 1
            elif not tracker.add(seq):
                continue
            if envelope.__class__ in kinds and watcher is not None:
                frame, envelope = watcher.see(stream, frame, envelope)
            new_frames.append(frame)
            if decoded is not None:
                decoded.append(envelope)
        self.accepted += len(new_frames)
        return new_frames

    def filter_decoded(
        self, frames: Sequence[bytes], envelopes: Sequence[Envelope | Foreign]
    ) -> tuple[list[bytes], list[Envelope | Foreign]]:
        """Return those of `frames` that are new, in order, and the events in them; all were decoded before."""
        seen, new_frames, new_envelopes = self._seen, [], []
        for frame, envelope in zip(frames, envelopes, strict=True):
            stream = (envelope.source, envelope.host, envelope.epoch)
            if seen.setdefault(stream, SequenceTracker()).add(envelope.seq):
                new_frames.append(frame)
                new_envelopes.append(envelope)
        self.accepted += len(new_frames)
        return new_frames, new_envelopes

    def recall(self, frames: Sequence[bytes]) -> int:
        """Note events that were received earlier, without counting them; returns how many different they are."""
        new = 0
        for envelope in decode_all(frames, Counter()):
            stream = (envelope.source, envelope.host, envelope.epoch)
            new += self._seen.setdefault(stream, SequenceTracker()).add(envelope.seq)
        return new

    def received(self, source: str, host: str, epoch: int) -> int:
        """Different events of one stream received so far."""
        tracker = self._seen.get((source, host, epoch))
        return 0 if tracker is None else tracker.received

    @property
    def lost(self) -> int:
        """Events that are known to have been published and were not received."""
        return sum(tracker.lost for tracker in self._seen.values())
