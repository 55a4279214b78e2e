"""Gives each live worker on a bus without a launcher a device of its own, where several call theirs the same.

Processes of joblib, of multiprocessing, or of two programs with the same local rank all say "cpu:0", and would be
one row. The first of them keeps the name, the next is "cpu:0#2". The hub decides that before an event is recorded,
so that all viewers agree. A name is free again when its worker has stopped, or its process has ended, or it has
been silent for long: so a worker that is started again is not a second one. Two publishers of one process are one
worker. A program that announces a run has a coordinator, which names the devices: then none is renamed any more.
Pure, but for the clock and the question whether a process runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any

from msgspec.structs import replace

from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.device_keys import numbered, numbered_key, unnumbered
from virnucpro_bus.events.codec import MAX_FRAME_BYTES, Foreign, decode_all, encode, topic_prefix
from virnucpro_bus.events.dedup import StreamKey
from virnucpro_bus.events.envelope import COORDINATOR_SOURCE, Envelope
from virnucpro_bus.events.run_events import OWN_POLICY
from virnucpro_bus.events.vocabulary import NAME_CHARACTERS, Device, Fact

SILENT_NS = 60 * NANOSECONDS
"""A worker that has sent heartbeats, and none for so long, counts as ended."""
CHECK_EVERY_NS = NANOSECONDS // 10
"""Between two checks of all workers: no program starts again in less time."""
FIRST_NUMBER = 2
LONGEST_BASE = NAME_CHARACTERS - 12
"""Leaves room for a number in the longest name."""
_OF_WORKERS: dict[type[Fact], str] = {
    ev.WorkerStarted: "device",
    ev.WorkerStopped: "device",
    ev.Heartbeat: "device",
    ev.FileStarted: "device",
    ev.FileProgress: "device",
    ev.FileCompleted: "device",
    ev.FileFailed: "device",
    ev.WorkStolen: "thief",
}
"""The field with the worker's own device, of the events that only workers publish."""
_OWN_FIELDS: dict[type[Fact], str] = {**_OF_WORKERS, ev.FilesAssigned: "device"}
_RARE = frozenset(ev.ENVELOPES[kind] for kind in (ev.Heartbeat, ev.WorkerStopped, ev.RunStarted))
_ALL = _RARE | {ev.ENVELOPES[kind] for kind in _OWN_FIELDS}
_RECALLED_KINDS = (ev.WorkerStarted, ev.Heartbeat, ev.WorkerStopped, ev.RunStarted)
_RECALLED = tuple(topic_prefix(ev.KIND_OF[kind]) for kind in _RECALLED_KINDS)

HostKey = tuple[str, str]
"""A host and the key of a device there."""


@dataclass(slots=True, eq=False)
class _Worker:
    """One stream of a worker."""

    host: str
    name: str
    """The key of its device as it is recorded."""
    pid: int | None
    """Its process, if that is one of this machine; None: unknown."""
    heard_ns: int
    """When a heartbeat was last received, by this machine's clock."""
    has_heartbeat: bool = False
    is_live: bool = True
    """Whether it has its name; if not, it has stopped or counts as ended."""
    has_stopped: bool = False


class WorkerNames:
    """Names the devices of the workers on one bus; a Watcher of its Deduplicator. Not thread-safe."""

    def __init__(self, clock: Clock, host: str, is_running: Callable[[int], bool]) -> None:
        """`host` is this machine in events; `is_running` says whether it has a process with that id."""
        self._clock, self._host, self._is_running = clock, host, is_running
        self.kinds = _RARE
        """What it sees: until a worker is renamed, nothing that comes often."""
        self._renamed: dict[StreamKey, tuple[str, str]] = {}
        """What each renamed stream calls its device, and the key that is recorded in its place."""
        self._workers: dict[StreamKey, _Worker] = {}
        self._live: dict[HostKey, list[_Worker]] = {}
        """The live workers of each device: streams of one process."""
        self._next: dict[HostKey, int] = {}
        """By host and the key without number: all smaller numbers are taken."""
        self._names: dict[tuple[int, str], str] = {}
        """The last name of each process, by its id and what it calls its device."""
        self._checked_ns: int | None = None
        self._has_coordinator = False
        self._notice: str | None = None
        self._has_noticed = False

    def meet(self, stream: StreamKey, envelope: Envelope | Foreign) -> None:
        """Decide what the device of a worker is called, by the first event of a stream that is one's."""
        event = envelope.event
        if isinstance(event, ev.RunStarted):
            self._note_run(event)
        elif not self._has_coordinator and stream not in self._workers and (own := _own_key(envelope)):
            worker = self._add(stream, envelope.host, self._pid_of(event, envelope.host, seen=True))
            self._name(stream, worker, own)

    def see(
        self, stream: StreamKey, frame: bytes, envelope: Envelope | Foreign
    ) -> tuple[bytes, Envelope | Foreign]:
        """Follow the life of a worker, and return its event with its new device if it was renamed."""
        event = envelope.event
        if envelope.__class__ in _RARE:
            self.meet(stream, envelope)
            if (worker := self._workers.get(stream)) is not None:
                self._note(worker, event)
        return _amend(frame, envelope, *self._renamed[stream]) if stream in self._renamed else (frame, envelope)

    def recall(self, frames: Iterable[bytes]) -> None:
        """Take over the names that were recorded before the bus was resumed, in the order of the events."""
        for envelope in decode_all([each for each in frames if each.startswith(_RECALLED)], Counter()):
            event = envelope.event
            stream = (envelope.source, envelope.host, envelope.epoch)
            worker = self._workers.get(stream)
            if isinstance(event, ev.RunStarted):
                self._note_run(event)
            elif worker is None and (name := _own_key(envelope)):
                worker = self._add(stream, envelope.host, self._pid_of(event, envelope.host, seen=False))
                self._take(worker, name)
                own, number = unnumbered(name)
                if number is not None:
                    self._rename(stream, own, name)
            if worker is not None:
                self._note(worker, event)

    def take_notice(self) -> str | None:
        """Return what users are to know, once after the first worker was renamed; else None."""
        notice, self._notice = self._notice, None
        return notice

    def _note_run(self, event: ev.RunStarted) -> None:
        # The run of own workers is announced by the hub itself.
        self._has_coordinator = self._has_coordinator or event.policy != OWN_POLICY

    def _add(self, stream: StreamKey, host: str, pid: int | None) -> _Worker:
        worker = self._workers[stream] = _Worker(host, "", pid, self._clock.mono_ns())
        return worker

    def _pid_of(self, event: object, host: str, *, seen: bool) -> int | None:
        """The process of a worker that starts; None unless it is one of this machine.

        `seen`: it has just said so; then it runs, or its container counts processes in its own way.
        """
        if not isinstance(event, ev.WorkerStarted) or host != self._host:
            return None
        return None if seen and not self._is_running(event.pid) else event.pid

    def _name(self, stream: StreamKey, worker: _Worker, own: str) -> None:
        """Let a new worker have the device that it names, or the lowest free number of it."""
        if not self._is_free(own, worker):
            self._end_gone()
        name = self._free_name(worker, own)
        self._take(worker, name)
        if worker.pid is not None:
            self._names[worker.pid, own] = name
        if name == own:
            return
        self._rename(stream, own, name)
        if not self._has_noticed:
            self._has_noticed = True
            self._notice = (
                f"several workers call their device {own}: each has a row of its own ({name}, ...); "
                "to name them, pass device= to Publisher.connect"
            )

    def _free_name(self, worker: _Worker, own: str) -> str:
        """Return the name of the other publishers of this process, else `own`, else its lowest free number."""
        shared = own if worker.pid is None else self._names.get((worker.pid, own), own)
        if (worker.host, shared) in self._live and self._is_free(shared, worker):
            return shared
        if self._is_free(own, worker):
            return own
        base = unnumbered(own)[0][:LONGEST_BASE]
        device = (worker.host, base)
        numbers = count(self._next.get(device, FIRST_NUMBER))
        number = next(each for each in numbers if self._is_free(numbered_key(base, each), worker))
        self._next[device] = number + 1
        return numbered_key(base, number)

    def _is_free(self, name: str, worker: _Worker) -> bool:
        """Whether no other process has this name; a second publisher of one process has the same."""
        live = self._live.get((worker.host, name), ())
        return not live or (worker.pid is not None and all(each.pid == worker.pid for each in live))

    def _take(self, worker: _Worker, name: str) -> None:
        worker.name, worker.is_live = name, True
        self._live.setdefault((worker.host, name), []).append(worker)

    def _rename(self, stream: StreamKey, own: str, name: str) -> None:
        self._renamed[stream] = (own, name)
        self.kinds = _ALL

    def _note(self, worker: _Worker, event: object) -> None:
        """Note a sign of life of a worker, or its end."""
        if isinstance(event, ev.WorkerStopped):
            worker.has_stopped = True
            self._end(worker)
        elif isinstance(event, ev.Heartbeat) and not worker.has_stopped:
            worker.heard_ns, worker.has_heartbeat = self._clock.mono_ns(), True
            if not worker.is_live:
                # It was taken for one that has ended: its process is not known by that id here.
                worker.pid = None
                self._take(worker, worker.name)

    def _end(self, worker: _Worker) -> None:
        """Free the name of a worker that has ended."""
        if not worker.is_live:
            return
        worker.is_live = False
        live = self._live[worker.host, worker.name]
        live.remove(worker)
        if not live:
            del self._live[worker.host, worker.name]
            self._next.pop((worker.host, unnumbered(worker.name)[0]), None)

    def _end_gone(self) -> None:
        """Free the names of workers that have ended without reporting it."""
        now_ns = self._clock.mono_ns()
        if self._checked_ns is not None and now_ns - self._checked_ns < CHECK_EVERY_NS:
            return
        self._checked_ns = now_ns
        for worker in [each for live in self._live.values() for each in live]:
            is_silent = worker.has_heartbeat and now_ns - worker.heard_ns > SILENT_NS
            if is_silent or (worker.pid is not None and not self._is_running(worker.pid)):
                self._end(worker)


def _own_key(envelope: Envelope | Foreign) -> str:
    """Return the key of the device of the worker that has published the event; "" if it is not one of a worker."""
    event: Any = envelope.event
    field = _OF_WORKERS.get(type(event))
    # A coordinator speaks for the workers of its run.
    if field is None or envelope.source == COORDINATOR_SOURCE:
        return ""
    return _key_of(getattr(event, field))


def _key_of(device: Device | str) -> str:
    return device.key if isinstance(device, Device) else device


def _amend(frame: bytes, envelope: Envelope | Foreign, own: str, name: str) -> tuple[bytes, Envelope | Foreign]:
    """Return both with the device `name`, where the event names the worker's `own`."""
    event: Any = envelope.event
    field = _OWN_FIELDS.get(type(event))
    if field is None or own != _key_of(device := getattr(event, field)):
        return frame, envelope
    _, number = unnumbered(name)
    if isinstance(device, Device) and number is not None:
        device = replace(numbered(device, number), key=name)
    else:
        device = name
    amended: Any = replace(envelope, event=replace(event, **{field: device}))  # type: ignore[type-var]
    encoded = encode(amended)
    # What is longer than a frame may be would be refused by every viewer.
    return (encoded, amended) if len(encoded) <= MAX_FRAME_BYTES else (frame, envelope)
