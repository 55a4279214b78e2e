"""The envelope of an event: which source sent it, when, and as which number of its stream.

`Sequencer` numbers the events of one stream; `make_envelope` addresses a single event by hand.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from virnucpro_bus.clock import Clock
from virnucpro_bus.events.kinds import KINDS
from virnucpro_bus.events.vocabulary import VERSION, Count, Fact, Name, Number

# The sources that a run keeps for itself.
COORDINATOR_SOURCE = "coordinator"
CAPTURE_SOURCE = "capture"
HUB_SOURCE = "hub"
WORKER_SOURCE_PREFIX = "worker-"
"""With the number of the worker."""


class Envelope(Struct, frozen=True, array_like=True, gc=False):
    """The header of an event, with the event itself in `event`.

    `run` is "" when unknown. `host` is the machine; a resumed run keeps the name of its first session. `source` is
    the publisher on `host`, `epoch` its start (a greater number is a later start); `seq` counts the stream's
    events from 1 without gaps. `wall_ns` (nanoseconds since 1970) is for display, `mono_ns` is the host's
    monotonic clock.
    """

    version: Annotated[int, Meta(ge=VERSION, le=VERSION)]
    run: Name
    host: Name
    source: Name
    epoch: Count
    seq: Number
    wall_ns: Count
    mono_ns: Count

    if TYPE_CHECKING:
        event: Any


def _envelope_of(kind: str, body: type[Fact]) -> type[Envelope]:
    envelope = msgspec.defstruct(
        f"{body.__name__}Envelope",
        [("event", body)],
        bases=(Envelope,),
        module=__name__,
        tag=kind,
        array_like=True,
        frozen=True,
        gc=False,
    )
    return cast("type[Envelope]", envelope)


ENVELOPES: dict[type[Fact], type[Envelope]] = {body: _envelope_of(kind, body) for kind, body in KINDS.items()}
"""One envelope type per kind, so that one typed decoder reads every frame and the kind is the first element."""


def make_envelope(
    event: Fact, *, run: str, host: str, source: str, epoch: int, seq: int, wall_ns: int, mono_ns: int
) -> Envelope:
    """Address `event` with a header given in full. Raises KeyError when its type is not one of KINDS."""
    # mypy knows only the header of the generated types.
    make: Any = ENVELOPES[type(event)]
    envelope: Envelope = make(VERSION, run, host, source, epoch, seq, wall_ns, mono_ns, event)
    return envelope


class Sequencer:
    """Puts the events of one stream into envelopes with consecutive numbers. One thread at a time."""

    def __init__(
        self, clock: Clock, *, source: str, run: str = "", epoch: int | None = None, host: str | None = None
    ) -> None:
        """Start at number 1.

        `epoch` None is the wall-clock time, which is greater at each restart; `host` None is this machine.
        """
        self.source = source
        self.epoch = clock.wall_ns() if epoch is None else epoch
        self._wall_ns, self._mono_ns = clock.wall_ns, clock.mono_ns
        header = (VERSION, run, host or os.uname().nodename, source, self.epoch)
        # What stays the same is bound once: every event passes through here.
        self._make = {kind: partial(envelope, *header) for kind, envelope in ENVELOPES.items()}
        self._seq = 0

    def next_envelope(self, event: Fact, wall_ns: int | None = None, mono_ns: int | None = None) -> Envelope:
        """Address `event` under the next number. A time that is None is now."""
        make = self._make[type(event)]
        self._seq = seq = self._seq + 1
        if wall_ns is None:
            wall_ns = self._wall_ns()
        if mono_ns is None:
            mono_ns = self._mono_ns()
        return make(seq, wall_ns, mono_ns, event)
