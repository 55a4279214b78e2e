"""What accepts events, as those see it that only publish."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from virnucpro_bus import events as ev


class EventSink(Protocol):
    """Anything that accepts events: a Publisher, the coordinator's hub, a list in a test."""

    def publish(self, event: ev.Fact) -> object:
        """Accept one event. Never waits."""
        ...


@runtime_checkable
class BatchSink(EventSink, Protocol):
    """A sink for which many events together cost less than one by one."""

    def publish_all(self, events: Iterable[ev.Fact]) -> object:
        """Accept events, in this order. Never waits."""
        ...
