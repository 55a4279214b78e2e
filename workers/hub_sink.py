"""The coordinator's way onto the bus of its own launcher."""

from __future__ import annotations

from virnucpro_bus.clock import Clock
from virnucpro_bus.codec import encode
from virnucpro_bus.events import Fact
from virnucpro_bus.serve import BusServer
from virnucpro_bus.stamp import Stamp


class HubSink:
    """An EventSink in the hub's own process: straight into it. One thread."""

    def __init__(self, server: BusServer, clock: Clock, last_epoch: int = 0) -> None:
        """`server` may be opened later, before the first event. `last_epoch`: ours comes after it."""
        self._server = server
        self._stamp = Stamp(
            clock, source="coordinator", run=server.run, epoch=max(clock.wall_ns(), last_epoch + 1)
        )

    def publish(self, event: Fact) -> None:
        """Stamp, journal and forward one event."""
        if not self._server.hub.take([encode(self._stamp.envelop(event))]):
            raise RuntimeError(f"the hub has refused an event of our own: {event!r:.300}")
