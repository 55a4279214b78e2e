"""Numbers and addresses the events of one source."""

from __future__ import annotations

import socket
from functools import partial

from virnucpro_bus import events as ev
from virnucpro_bus.clock import Clock


class Stamp:
    """One stream's sender: who, in which epoch, and the next number. One thread at a time."""

    def __init__(
        self, clock: Clock, *, source: str, run: str = "", epoch: int | None = None, host: str | None = None
    ) -> None:
        """`epoch` defaults to the wall-clock time, which is larger at each restart; `host` to this machine."""
        self.source = source
        self.epoch = clock.wall_ns() if epoch is None else epoch
        self._wall_ns, self._mono_ns = clock.wall_ns, clock.mono_ns
        header = (ev.VERSION, run, host or socket.gethostname(), source, self.epoch)
        # What stays the same is bound once: every event passes through here.
        self._make = {kind: partial(envelope, *header) for kind, envelope in ev.ENVELOPES.items()}
        self._seq = 0

    def envelop(self, event: ev.Fact, wall_ns: int | None = None, mono_ns: int | None = None) -> ev.Envelope:
        """Address `event` under the next number, now or as of the times given."""
        make = self._make[type(event)]
        self._seq = seq = self._seq + 1
        if wall_ns is None:
            wall_ns = self._wall_ns()
        if mono_ns is None:
            mono_ns = self._mono_ns()
        return make(seq, wall_ns, mono_ns, event)
