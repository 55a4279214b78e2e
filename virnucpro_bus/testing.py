"""Test doubles for programs that use this package, and for its own tests."""

from __future__ import annotations

from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Envelope, Sequencer
from virnucpro_bus.events.vocabulary import Fact


class ListSink:
    """An EventSink that collects the events in a list."""

    def __init__(self) -> None:
        self.events: list[Fact] = []

    def publish(self, event: Fact) -> None:
        """Append the event."""
        self.events.append(event)


class Script:
    """A sequence of events of several sources on one host, as they would have been published."""

    def __init__(self, host: str = "node", run: str = "run-1") -> None:
        self.clock = ManualClock()
        self.envelopes: list[Envelope] = []
        self._host = host
        self._run = run
        self._sequencers: dict[tuple[str, int], Sequencer] = {}

    def say(self, source: str, event: Fact, *, epoch: int = 1, after_seconds: float = 0.0) -> Envelope:
        """Add `event`, published by `source` `after_seconds` after the event before; returns its envelope."""
        self.clock.advance(after_seconds)
        sequencer = self._sequencers.get((source, epoch))
        if sequencer is None:
            sequencer = Sequencer(self.clock, source=source, run=self._run, epoch=epoch, host=self._host)
            self._sequencers[source, epoch] = sequencer
        envelope = sequencer.next_envelope(event)
        self.envelopes.append(envelope)
        return envelope

    def frames(self) -> list[bytes]:
        """Return all events so far, encoded."""
        return [encode(envelope) for envelope in self.envelopes]
