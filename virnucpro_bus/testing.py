"""Test doubles for programs that use this package, and for its own tests."""

from __future__ import annotations

from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Envelope, Sequencer
from virnucpro_bus.events.vocabulary import Fact


class ListSink:
    """An EventSink that keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[Fact] = []

    def publish(self, event: Fact) -> None:
        """Keep the event."""
        self.events.append(event)


class Script:
    """Events of several sources on one host, written down as they would have been published."""

    def __init__(self, host: str = "node", run: str = "run-1") -> None:
        self.clock = ManualClock()
        self.envelopes: list[Envelope] = []
        self._host = host
        self._run = run
        self._stamps: dict[tuple[str, int], Sequencer] = {}

    def say(self, source: str, event: Fact, *, epoch: int = 1, after_seconds: float = 0.0) -> Envelope:
        """Let `source` publish `event`, `after_seconds` after the one before; returns it in its envelope."""
        self.clock.advance(after_seconds)
        stamp = self._stamps.get((source, epoch))
        if stamp is None:
            stamp = Sequencer(self.clock, source=source, run=self._run, epoch=epoch, host=self._host)
            self._stamps[source, epoch] = stamp
        envelope = stamp.next_envelope(event)
        self.envelopes.append(envelope)
        return envelope

    def frames(self) -> list[bytes]:
        """Everything said so far, as it goes over the wire."""
        return [encode(envelope) for envelope in self.envelopes]
