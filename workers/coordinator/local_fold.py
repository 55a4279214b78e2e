"""What the coordinator has to tell: to the bus what only it knows, and everything to its own account of the run.

The account is kept by the same fold that viewers use. Its events are local ones, a stream a worker, and never
leave: on the bus the workers tell the same facts (one fact, one publisher). So what the coordinator says and what
a monitor has gathered can be compared field by field.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from virnucpro_bus import events as ev
from virnucpro_bus.clock import Clock
from virnucpro_bus.effect.shares import HostWork
from virnucpro_bus.effect.totals import TotalsCache
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.metrics import Effect, GpuMetrics, StealEvent, Totals
from virnucpro_bus.publish.publisher import EventSink


class _OwnLedger(HostFold, array_like=True):
    """Here nobody hears workers start and stop; but which devices are given no more files is known."""

    retired: set[str] = msgspec.field(default_factory=set)
    up_ns: dict[str, int] = msgspec.field(default_factory=dict)
    """When each device first asked for files, by key."""

    def work(self, now_ns: int) -> HostWork:
        work = super().work(now_ns)
        living = work.status.devices - self.retired
        # Of earlier sessions nothing is known here; but nothing is ever missing.
        return replace(work, status=replace(work.status, living=living, up_ns=self.up_ns, files_total=0))


class LocalFold:
    """Not thread-safe: its owner holds a lock."""

    def __init__(self, devices: Sequence[ev.Device], clock: Clock, sink: EventSink | None) -> None:
        """`sink` is the way onto the bus; None: there is none."""
        host = socket.gethostname()
        self._ledger = _OwnLedger(host)
        self._devices = devices
        self._clock = clock
        self._sink = sink
        self._own = Sequencer(clock, source="coordinator", epoch=1, host=host)
        self._workers = [Sequencer(clock, source=device.key, epoch=1, host=host) for device in devices]
        self._told_depths: Sequence[int] | None = None
        self._sums = TotalsCache()

    def publish(self, event: ev.Fact) -> None:
        """To the bus only."""
        if self._sink is not None:
            self._sink.publish(event)

    def record(self, event: ev.Fact) -> None:
        """Into the account only."""
        self._ledger.apply(self._own.next_envelope(event))

    def announce(self, event: ev.Fact) -> None:
        """A fact of the coordinator's own: into the account, and onto the bus."""
        self.record(event)
        self.publish(event)

    def announce_depths(self, depths: Sequence[int]) -> None:
        """How many files wait, by device; passed over where nothing has changed since last told."""
        if depths != self._told_depths:
            self._told_depths = depths
            self.announce(self._depths_event(depths))

    def record_request(self, slot: int) -> None:
        """The worker of device number `slot` is there, and asks for files."""
        self._ledger.up_ns.setdefault(self._devices[slot].key, self._clock.mono_ns())

    def record_work(
        self, slot: int, event: ev.Fact, wall_ns: int | None = None, mono_ns: int | None = None
    ) -> None:
        """A fact about the worker of device number `slot`, now or at the times given, which it tells the bus."""
        self._ledger.apply(self._workers[slot].next_envelope(event, wall_ns, mono_ns))

    def announce_loss(self, slot: int, event: ev.WorkerLost) -> None:
        """The worker has died: its stream here ends too, and the next one's begins."""
        self.publish(event)
        dead = self._workers[slot]
        self.record(msgspec.structs.replace(event, source=dead.source, epoch=dead.epoch))
        self._workers[slot] = Sequencer(
            self._clock, source=dead.source, epoch=dead.epoch + 1, host=self._ledger.host
        )

    # What can be asked.

    def metrics(self, depths: Sequence[int]) -> list[GpuMetrics]:
        """One row a device, where so many files wait now."""
        self.record(self._depths_event(depths))
        return self._ledger.metrics(self._clock.mono_ns())

    def steals(self) -> list[StealEvent]:
        """The last 50, oldest first."""
        return self._ledger.steals()

    def totals(self) -> Totals:
        """The run as a whole."""
        return self._ledger.totals()

    def effect(self, retired: Iterable[int]) -> Effect:
        """What stealing has done so far. `retired` are the devices that are given no more files, by number."""
        self._ledger.retired = {self._devices[slot].key for slot in retired}
        return self._ledger.effect(self._clock.mono_ns(), self._sums)

    def _depths_event(self, depths: Sequence[int]) -> ev.QueueDepths:
        return ev.QueueDepths({device.key: depth for device, depth in zip(self._devices, depths, strict=True)})
