"""Summarizes what a capture contains, without folding it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import TypedDict

from virnucpro_bus.capture.growth import Growth
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.capture.records import RecordScanner
from virnucpro_bus.devices import is_simulated
from virnucpro_bus.events.codec import Foreign, decode_all
from virnucpro_bus.events.envelope import COORDINATOR_SOURCE, ENVELOPES, Envelope
from virnucpro_bus.events.kinds import KINDS
from virnucpro_bus.events.run_events import Notice, RunFinished, RunStarted, Shard, shard_report
from virnucpro_bus.events.vocabulary import CaptureHole, Device, GpuSampled
from virnucpro_bus.run_reports import ShardReport

_KINDS: dict[type, str] = {ENVELOPES[fact]: kind for kind, fact in KINDS.items()}
_WITH_DEVICE = frozenset(ENVELOPES[fact] for fact in KINDS.values() if "device" in fact.__struct_fields__)
_SPECIAL = {Foreign, *(ENVELOPES[fact] for fact in (CaptureHole, GpuSampled, Notice, RunFinished, RunStarted))}
"""The types of events that are looked at one by one."""
_run, _host = attrgetter("run"), attrgetter("host")


class CaptureInfo(TypedDict):
    """The object that `info --json` prints."""

    path: str
    size_bytes: int
    runs: list[str]
    hosts: list[str]
    devices: list[str]
    """Keys of the devices that a run or a worker named."""
    simulated: bool
    """Whether any of these is simulated."""
    started_ns: int | None
    """When the first event was received, in nanoseconds since 1970; None: the capture is empty."""
    duration_seconds: float
    ending: str | None
    """"finished" if every run has, by its last session; otherwise "in progress", or "broken off" if no process may
    add the end, or "not recorded" if the capture is a copy or a recording. Without an announced run it is that
    of the hub: "finished" if it has ended in order, "broken off" if it was killed. None: unknown."""
    events: int
    events_by_kind: dict[str, int]
    refused_frames: int
    """Whole records whose frame is not an event."""
    damaged_places: int
    skipped_bytes: int
    """Bytes of damage, and of a last record that was cut off; a compressed capture loses whole zstd frames."""
    holes: int
    """How often recording stopped and resumed, for example because the disk was full."""
    unrecorded_frames: int
    """Frames that were received meanwhile, and are not in the capture."""
    shard: ShardReport | None
    """The part of its inputs that the last announced run has; None: all of them, or no run was announced."""


class InfosReport(TypedDict):
    """The object that `info --json` prints of several captures."""

    runs: list[CaptureInfo]
    """In the order given."""


class EventTally:
    """Counts what the events of a capture name and are, in their order. Not thread-safe."""

    def __init__(self) -> None:
        self._kinds: Counter[str] = Counter()
        self._runs: set[str] = set()
        self._hosts: set[str] = set()
        self._devices: set[str | Device] = set()
        self._is_simulated = False
        self._holes = self._unrecorded = 0
        self._shard: Shard | None = None
        self._sessions: dict[str, tuple[int, bool]] = {}
        """By host: the last session, and whether it has ended."""

    def add(self, envelopes: Sequence[Envelope | Foreign]) -> None:
        """Count events. Nearly all of them cost no call."""
        self._runs.update(map(_run, envelopes))
        self._hosts.update(map(_host, envelopes))
        types = Counter(map(type, envelopes))
        for envelope_type, count in types.items():
            if (kind := _KINDS.get(envelope_type)) is not None:
                self._kinds[kind] += count
        self._devices.update(each.event.device for each in envelopes if each.__class__ in _WITH_DEVICE)
        if not _SPECIAL.isdisjoint(types):
            for envelope in envelopes:
                if envelope.__class__ in _SPECIAL:
                    self._add_special(envelope)

    def _add_special(self, envelope: Envelope | Foreign) -> None:
        if isinstance(envelope, Foreign):
            self._kinds[envelope.kind] += 1
            return
        event = envelope.event
        is_session = isinstance(event, Notice) and envelope.source == COORDINATOR_SOURCE
        if is_session or isinstance(event, RunStarted | RunFinished):
            session = envelope.epoch, isinstance(event, RunFinished)
            self._sessions[envelope.host] = max(self._sessions.get(envelope.host, session), session)
        if isinstance(event, CaptureHole):
            self._holes += 1
            self._unrecorded += event.frames
        elif isinstance(event, RunStarted):
            self._shard = event.shard
            self._devices.update(event.devices)
        elif isinstance(event, GpuSampled):
            self._is_simulated = self._is_simulated or event.simulated

    def info(
        self, path: Path, growth: Growth, scanner: RecordScanner, refused: int, span_ns: tuple[int, int] | None
    ) -> CaptureInfo:
        """Return the info of the capture whose events were added.

        `refused` is the number of records that are not events, `span_ns` when the first and the last record was
        received; None: there are none.
        """
        devices = sorted({each if isinstance(each, str) else each.key for each in self._devices} - {""})
        first_ns, last_ns = span_ns or (0, 0)
        return CaptureInfo(
            path=str(path),
            size_bytes=path.stat().st_size,
            runs=sorted(self._runs - {""}),
            hosts=sorted(self._hosts),
            devices=devices,
            simulated=self._is_simulated or any(map(is_simulated, devices)),
            started_ns=None if span_ns is None else first_ns,
            duration_seconds=(last_ns - first_ns) / 1e9,
            ending=_ending([is_over for _, is_over in self._sessions.values()], growth),
            events=self._kinds.total(),
            events_by_kind=dict(sorted(self._kinds.items())),
            refused_frames=refused,
            damaged_places=scanner.damaged_places,
            skipped_bytes=scanner.skipped_bytes + scanner.incomplete_bytes,
            holes=self._holes,
            unrecorded_frames=self._unrecorded,
            shard=shard_report(self._shard),
        )


def capture_info(path: Path) -> CaptureInfo:
    """Read the whole capture at `path`. Raises CaptureError when it is not a capture."""
    growth, reader, tally = Growth(path), CaptureReader(path), EventTally()
    refused: Counter[str] = Counter()
    span_ns = None
    for batch in reader.batches():
        tally.add(decode_all([record.frame for record in batch], refused))
        if batch:
            span_ns = (span_ns or (batch[0].received_ns, 0))[0], batch[-1].received_ns
    return tally.info(path, growth, reader.scanner, refused.total(), span_ns)


def _ending(are_over: list[bool], growth: Growth) -> str | None:
    if not are_over:
        return "broken off" if growth.hub_was_killed else None
    if all(are_over):
        return "finished"
    if not growth.is_of_run_folder:
        return "not recorded"
    return "in progress" if growth.is_possible else "broken off"
