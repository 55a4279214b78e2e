"""The coordinator's own fold of the run, from which it answers for metrics without a bus.

It is the fold that viewers use, so the coordinator's figures and a monitor's can be compared field by field. It
gets every event: those that only the coordinator publishes, and a local copy of those that the workers publish,
in one stream for each worker. The copies never reach the bus: one fact has one publisher. They are folded many at
a time, at the latest when a figure is asked for.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest

import msgspec

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.effect.shares import HostWork
from virnucpro_bus.effect.totals import TotalsCache
from virnucpro_bus.events.envelope import Envelope, Sequencer
from virnucpro_bus.events.parts import parts_of
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.metrics import Effect, GpuMetrics, StealEvent, Totals
from virnucpro_bus.publish.event_sink import BatchSink, EventSink
from workers.coordinator.assignment import Assignment

_MOST_UNFOLDED = 1_000
DEPTHS_EVERY_NS = NANOSECONDS // 4
_DEPTHS_BYTES_PER_EVENT = 48 * 1024
"""Of the 64 KiB of a frame."""
_NUMBER_BYTES = 16
"""More than MessagePack needs for a number and the length of a text."""


class _CoordinatorHostFold(HostFold, array_like=True):
    """A host fold that gets no events of workers starting and stopping, but knows the retired devices."""

    retired: set[str] = msgspec.field(default_factory=set)
    """Keys of the devices that get no more files."""
    up_ns: dict[str, int] = msgspec.field(default_factory=dict)
    """When each device first asked for a file, by key."""
    ready: set[str] = msgspec.field(default_factory=set)
    """Keys of the devices whose present worker has asked for a file."""

    def work(self, now_ns: int) -> HostWork:
        """Return the host's work, with the devices' status as the coordinator knows it."""
        work = super().work(now_ns)
        status = replace(
            work.status,
            living=work.status.devices - self.retired,
            up_ns=self.up_ns,
            # Unknown: the files of earlier sessions are not in this fold, which else would seem incomplete.
            files_total=0,
            deserted=work.status.deserted - self.ready,
        )
        return replace(work, status=status)


class LocalFold:
    """Folds the events of a run locally, and publishes those that are the coordinator's own. Not thread-safe."""

    def __init__(
        self, devices: Sequence[ev.Device], clock: Clock, sink: EventSink | None, host: str | None
    ) -> None:
        """`sink` receives the events for the bus; None: no bus. `host` None: this machine."""
        host = host or socket.gethostname()
        self._fold = _CoordinatorHostFold(host)
        self._unfolded: list[Envelope] = []
        """Events of workers that are not folded yet."""
        self._devices = list(devices)
        self._clock = clock
        self._sink = sink
        self._sequencer = Sequencer(clock, source="coordinator", epoch=1, host=host)
        self._worker_sequencers = [self._worker_sequencer(device.key, epoch=1) for device in devices]
        self._announced_depths: list[int] = []
        """By device number; a device that has joined since is missing."""
        self._depths_due_ns = 0
        """When they may be announced again."""
        self._totals_cache = TotalsCache()

    def add_device(self, device: ev.Device) -> None:
        """Announce a device that joins the run, with the next number."""
        self._devices.append(device)
        self._worker_sequencers.append(self._worker_sequencer(device.key, epoch=1))
        self.announce(ev.DeviceJoined(device))

    def publish(self, events: Iterable[ev.Fact]) -> None:
        """Publish events on the bus, in this order, without folding them."""
        if isinstance(self._sink, BatchSink):
            self._sink.publish_all(events)
        elif self._sink is not None:
            for event in events:
                self._sink.publish(event)

    def record(self, event: ev.Fact) -> None:
        """Fold an event of the coordinator, without publishing it."""
        self._folded().apply(self._sequencer.next_envelope(event))

    def announce(self, event: ev.Fact) -> None:
        """Fold an event of the coordinator and publish it."""
        self.record(event)
        self.publish((event,))

    @property
    def may_announce_depths(self) -> bool:
        """Whether the last announcement of depths is long enough ago: there are four a second at most."""
        return self._clock.mono_ns() >= self._depths_due_ns

    def announce_depths(self, depths: Sequence[int]) -> None:
        """Announce the number of pending files of each device for which it has changed since the last call."""
        if depths == self._announced_depths:
            return
        self._depths_due_ns = self._clock.mono_ns() + DEPTHS_EVERY_NS
        known = zip_longest(self._devices, depths, self._announced_depths)
        changed = [(device.key, depth) for device, depth, before in known if depth != before]
        self._announced_depths = list(depths)
        for part in parts_of(changed, _entry_bytes, most_bytes=_DEPTHS_BYTES_PER_EVENT):
            self.announce(ev.QueueDepths(dict(part)))

    def record_request(self, slot: int) -> None:
        """Record that the worker of device number `slot` runs and asks for a file."""
        key = self._devices[slot].key
        self._fold.up_ns.setdefault(key, self._clock.mono_ns())
        self._fold.ready.add(key)

    def record_work(
        self, slot: int, event: ev.Fact, wall_ns: int | None = None, mono_ns: int | None = None
    ) -> None:
        """Fold an event that the worker of device number `slot` publishes, at the times given; None: now."""
        self._unfolded.append(self._worker_sequencers[slot].next_envelope(event, wall_ns, mono_ns))
        if len(self._unfolded) >= _MOST_UNFOLDED:
            self._folded()

    def record_begin(
        self, slot: int, begun: Assignment, wall_ns: int | None = None, mono_ns: int | None = None
    ) -> None:
        """Fold what the worker of device number `slot` publishes when it begins a file, at the times given."""
        key, name = self._devices[slot].key, begun.file.id
        if begun.stolen_from is not None:
            stolen = ev.WorkStolen(key, begun.stolen_from, name, begun.attempt, begun.stolen_at_ns)
            self.record_work(slot, stolen, wall_ns, mono_ns)
        self.record_work(slot, ev.FileStarted(key, name, begun.attempt), wall_ns, mono_ns)

    def announce_loss(self, slot: int, event: ev.WorkerLost) -> None:
        """Announce the loss of a worker: its local stream ends, and that of the next worker begins."""
        self.publish((event,))
        self._fold.ready.discard(self._devices[slot].key)
        lost = self._worker_sequencers[slot]
        self.record(msgspec.structs.replace(event, source=lost.source, epoch=lost.epoch))
        self._worker_sequencers[slot] = self._worker_sequencer(lost.source, lost.epoch + 1)

    # Figures.

    def metrics(self, depths: Sequence[int]) -> list[GpuMetrics]:
        """Return one row for each device. `depths` are the present numbers of pending files."""
        keys = (device.key for device in self._devices)
        self.record(ev.QueueDepths(dict(zip(keys, depths, strict=True))))
        folded, now_ns = self._folded(), self._clock.mono_ns()
        effect = folded.effect(now_ns, self._totals_cache) if folded.is_over else None
        return folded.metrics(now_ns, makespan_seconds=None if effect is None else effect["makespan_seconds"])

    def steals(self) -> list[StealEvent]:
        """Return the last 50 steals, oldest first."""
        return self._folded().steals()

    def totals(self) -> Totals:
        """Return the figures of the whole run."""
        return self._folded().totals()

    def effect(self, retired: Iterable[int]) -> Effect:
        """Return what stealing has gained or lost. `retired` are the numbers of devices that get no more files."""
        self._fold.retired = {self._devices[slot].key for slot in retired}
        return self._folded().effect(self._clock.mono_ns(), self._totals_cache)

    def _folded(self) -> _CoordinatorHostFold:
        """Return the fold of all that was recorded."""
        self._fold.apply_all(self._unfolded)
        self._unfolded.clear()
        return self._fold

    def _worker_sequencer(self, source: str, epoch: int) -> Sequencer:
        return Sequencer(self._clock, source=source, epoch=epoch, host=self._fold.host)


def _entry_bytes(entry: tuple[str, int]) -> int:
    return len(entry[0].encode()) + _NUMBER_BYTES
