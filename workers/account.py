"""The coordinator's own account of a run, kept by the same fold that viewers use.

Its events are local ones, a stream a worker, and never leave: on the bus the workers tell the same facts (one
fact, one publisher). So what the coordinator says and what a monitor has gathered can be compared field by field.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

import msgspec

from virnucpro_bus.clock import Clock
from virnucpro_bus.events import Device, Fact, WorkerLost
from virnucpro_bus.ledger import WorkLedger
from virnucpro_bus.stamp import Stamp


class RunAccount:
    """Not thread-safe: its owner holds a lock. `ledger` answers all questions."""

    def __init__(self, devices: Sequence[Device], clock: Clock) -> None:
        host = socket.gethostname()
        self.ledger = WorkLedger(host)
        self._clock = clock
        self._own = Stamp(clock, source="coordinator", epoch=1, host=host)
        self._workers = [Stamp(clock, source=device.key, epoch=1, host=host) for device in devices]

    def note(self, event: Fact) -> None:
        """A fact of the coordinator's own."""
        self.ledger.apply(self._own.envelop(event))

    def note_work(self, slot: int, event: Fact, wall_ns: int | None = None, mono_ns: int | None = None) -> None:
        """A fact about the worker of device number `slot`, now or at the times given."""
        self.ledger.apply(self._workers[slot].envelop(event, wall_ns, mono_ns))

    def note_loss(self, slot: int, event: WorkerLost) -> None:
        """The worker has died: its stream here ends too, and the next one's begins."""
        dead = self._workers[slot]
        self.note(msgspec.structs.replace(event, source=dead.source, epoch=dead.epoch))
        self._workers[slot] = Stamp(self._clock, source=dead.source, epoch=dead.epoch + 1, host=self.ledger.host)
