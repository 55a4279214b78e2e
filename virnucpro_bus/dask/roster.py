"""Which workers of a cluster are at work, by their own events, and what to publish when one of them is lost. Pure.

A worker that closes publishes its end itself. Of one that dies, only the scheduler knows: it removes the worker.
"""

from __future__ import annotations

from dataclasses import dataclass

from virnucpro_bus import events as ev
from virnucpro_bus.clock import Clock
from virnucpro_bus.events.codec import Foreign, encode
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.events.vocabulary import REASON_CHARACTERS

ROSTER_SOURCE = "dask-scheduler"
"""The source of what is published about workers."""
_LOST = "the scheduler has removed the worker"


def source_of(address: str, slot: int) -> str:
    """Return the source of the events of a worker's slot; addresses are unique in a cluster."""
    return f"{address}#{slot}"


def address_of(source: str) -> str:
    """Return the address of the worker that `source_of` has named."""
    return source.rpartition("#")[0]


@dataclass
class _Slot:
    """A slot of a live worker: a stream of its own."""

    host: str
    epoch: int
    device: str
    file: str | None = None
    attempt: int = 0


class Roster:
    """The live slots of all workers. Not thread-safe.

    Each machine is a host of its own, as in a fleet: its events keep its own times, which are compared with each
    other only, so no clocks need to agree. What is published about a worker is published for its host, with the
    times of the last event from there.
    """

    def __init__(self, run: str, clock: Clock) -> None:
        """`clock` gives the epoch of what is published."""
        self._run = run
        self._clock = clock
        self._slots: dict[str, _Slot] = {}
        """By source."""
        self._times: dict[str, tuple[int, int]] = {}
        """Of each host, the greatest monotonic time of an event, and its wall-clock time."""
        self._sequencers: dict[str, Sequencer] = {}
        """By host."""

    def __len__(self) -> int:
        """How many slots are live."""
        return len(self._slots)

    def note(self, envelope: ev.Envelope | Foreign) -> None:
        """Note an event of a worker."""
        host, source, event = envelope.host, envelope.source, envelope.event
        self._times[host] = max(self._times.get(host, (0, 0)), (envelope.mono_ns, envelope.wall_ns))
        if isinstance(event, ev.WorkerStarted):
            self._slots[source] = _Slot(host, envelope.epoch, event.device.key)
            return
        slot = self._slots.get(source)
        if slot is None:
            return
        if isinstance(event, ev.FileStarted):
            slot.file, slot.attempt = event.file, event.attempt
        elif isinstance(event, ev.FileCompleted | ev.FileFailed):
            slot.file = None
        elif isinstance(event, ev.WorkerStopped):
            del self._slots[source]

    def remove(self, address: str) -> list[bytes]:
        """Return the frames to publish when the scheduler has removed a worker: none if it had ended by itself."""
        lost = {source: slot for source, slot in self._slots.items() if address_of(source) == address}
        frames = []
        for source, slot in lost.items():
            del self._slots[source]
            event = ev.WorkerLost(slot.device, source, slot.epoch, _LOST, slot.file, slot.attempt)
            mono_ns, wall_ns = self._times[slot.host]
            frames.append(encode(self._sequencer(slot.host).next_envelope(event, wall_ns, mono_ns)))
        return frames

    def notice(self, text: str, host: str) -> bytes:
        """Return the frame of a notice for users, published by this `host`."""
        return encode(self._sequencer(host).next_envelope(ev.Notice(text[:REASON_CHARACTERS])))

    def _sequencer(self, host: str) -> Sequencer:
        if host not in self._sequencers:
            self._sequencers[host] = Sequencer(self._clock, source=ROSTER_SOURCE, run=self._run, host=host)
        return self._sequencers[host]


def removed_worker(message: object) -> str | None:
    """Return the address of the worker that a message on Dask's topic "all" reports as removed; else None."""
    match message:
        case {"action": "remove-worker", "worker": str(address)}:
            return address
    return None
