"""Observers of a fold: they get the events of some kinds that it has folded, each once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import Fact, GpuSampled
from virnucpro_bus.fold.host_fold import HANDLERS, Handler, Handlers, HostFold
from virnucpro_bus.fold.stream import Stream

if TYPE_CHECKING:
    from virnucpro_bus.timeline.timeline import DeviceKey

Observer = Callable[[Envelope], None]
"""Gets an event that was folded for the first time, with its time on the axis of its host."""
Observers = Mapping[type[Fact], Observer]
"""By the kind of event."""


def observed_by(observers: Observers, handlers: Handlers = HANDLERS) -> Handlers:
    """Return handlers for `HostFold.apply_all` that pass on these events; other kinds cost nothing more."""

    def passing_on(handler: Handler | None, observe: Observer) -> Handler:
        def handle(fold: HostFold, event: Any, envelope: Envelope, stream: Stream) -> None:
            if handler is not None:
                handler(fold, event, envelope, stream)
            observe(envelope)

        return handle

    return {**handlers, **{kind: passing_on(handlers.get(kind), each) for kind, each in observers.items()}}


def without_gpu_figures() -> Handlers:
    """Return handlers of a fold that knows which GPUs there are, but not what they do.

    Only the first sample of each GPU is folded: for readers that take the others from a timeline, and less time.
    """
    known: set[DeviceKey] = set()

    def handle(fold: HostFold, event: Any, envelope: Envelope, stream: Stream) -> None:
        key = fold.host, event.device.key
        if key not in known:
            known.add(key)
            HANDLERS[GpuSampled](fold, event, envelope, stream)

    return {**HANDLERS, GpuSampled: handle}
