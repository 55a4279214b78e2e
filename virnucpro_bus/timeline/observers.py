"""Observers of a fold: they get the events of some kinds that it has folded, each once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import Fact
from virnucpro_bus.fold.host_fold import HANDLERS, Handler, Handlers, HostFold
from virnucpro_bus.fold.stream import Stream

Observer = Callable[[Envelope], None]
"""Gets an event that was folded for the first time, with its time on the axis of its host."""
Observers = Mapping[type[Fact], Observer]
"""By the kind of event."""


def observed_by(observers: Observers) -> Handlers:
    """Return handlers for `HostFold.apply_all` that pass on these events; other kinds cost nothing more."""

    def passing_on(handler: Handler | None, observe: Observer) -> Handler:
        def handle(fold: HostFold, event: Any, envelope: Envelope, stream: Stream) -> None:
            if handler is not None:
                handler(fold, event, envelope, stream)
            observe(envelope)

        return handle

    return {**HANDLERS, **{kind: passing_on(HANDLERS.get(kind), each) for kind, each in observers.items()}}
