"""Numbers and addresses the events of one source."""

from __future__ import annotations

import os
import socket
from typing import Any

from virnucpro_bus import events as ev
from virnucpro_bus.clock import Clock
from virnucpro_bus.errors import ForkedPublisherError


class Stamp:
    """One stream's sender: who, in which epoch, and the next number. One thread at a time; not across fork()."""

    def __init__(
        self, clock: Clock, *, source: str, run: str = "", epoch: int | None = None, host: str | None = None
    ) -> None:
        """`epoch` defaults to the wall-clock time, which is larger at each restart; `host` to this machine."""
        self.source = source
        self.epoch = clock.wall_ns() if epoch is None else epoch
        self._clock = clock
        self._run = run
        self._host = host or socket.gethostname()
        self._seq = 0
        self._pid = os.getpid()

    def envelop(self, event: ev.Fact, wall_ns: int | None = None, mono_ns: int | None = None) -> ev.Envelope:
        """Address `event` under the next number, now or at the times given.

        Raises ForkedPublisherError in a forked child, where the parent would give out the same numbers.
        """
        if os.getpid() != self._pid:
            raise ForkedPublisherError("this publisher was made before fork(): connect again in the child")
        self._seq = seq = self._seq + 1
        # By position: every event passes here, and keywords would double the cost.
        make: Any = ev.ENVELOPES[type(event)]
        envelope: ev.Envelope = make(
            ev.VERSION,
            self._run,
            self._host,
            self.source,
            self.epoch,
            seq,
            self._clock.wall_ns() if wall_ns is None else wall_ns,
            self._clock.mono_ns() if mono_ns is None else mono_ns,
            event,
        )
        return envelope
