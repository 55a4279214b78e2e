"""What accepts events, as those see it that only publish."""

from __future__ import annotations

from typing import Protocol

from virnucpro_bus import events as ev


class EventSink(Protocol):
    """Anything that accepts events: a Publisher, the coordinator's hub, a list in a test."""

    def publish(self, event: ev.Fact) -> object:
        """Accept one event. Never waits."""
        ...
