"""Summarizes what a capture contains, without folding it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TypedDict

from virnucpro_bus.capture.growth import Growth
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.devices import is_simulated
from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.codec import Foreign, decode
from virnucpro_bus.events.envelope import COORDINATOR_SOURCE
from virnucpro_bus.events.shard_report import shard_report
from virnucpro_bus.events.vocabulary import KIND_OF, CaptureHole, GpuSampled, Notice, RunFinished, RunStarted
from virnucpro_bus.metrics import ShardReport


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


def capture_info(path: Path) -> CaptureInfo:
    """Read the whole capture at `path`. Raises CaptureError when it is not a capture."""
    kinds: Counter[str] = Counter()
    runs: set[str] = set()
    hosts: set[str] = set()
    devices: set[str] = set()
    refused = holes = unrecorded = 0
    first_ns = last_ns = None
    is_simulation = False
    shard = None
    sessions: dict[str, tuple[int, bool]] = {}
    growth, reader = Growth(path), CaptureReader(path)
    for record in reader:
        first_ns = record.received_ns if first_ns is None else first_ns
        last_ns = record.received_ns
        try:
            envelope = decode(record.frame)
        except FrameError:
            refused += 1
            continue
        hosts.add(envelope.host)
        runs.add(envelope.run)
        if isinstance(envelope, Foreign):
            kinds[envelope.kind] += 1
            continue
        event = envelope.event
        kinds[KIND_OF[type(event)]] += 1
        is_session = isinstance(event, Notice) and envelope.source == COORDINATOR_SOURCE
        if is_session or isinstance(event, RunStarted | RunFinished):
            # By host: the last session, and whether it has ended.
            session = envelope.epoch, isinstance(event, RunFinished)
            sessions[envelope.host] = max(sessions.get(envelope.host, session), session)
        if isinstance(event, CaptureHole):
            holes += 1
            unrecorded += event.frames
        elif isinstance(event, RunStarted):
            shard = event.shard
            devices.update(device.key for device in event.devices)
        else:
            is_simulation = is_simulation or (isinstance(event, GpuSampled) and event.simulated)
            device = getattr(event, "device", None)
            key = getattr(device, "key", device)
            if key:
                devices.add(key)
    return CaptureInfo(
        path=str(path),
        size_bytes=path.stat().st_size,
        runs=sorted(runs - {""}),
        hosts=sorted(hosts),
        devices=sorted(devices),
        simulated=is_simulation or any(map(is_simulated, devices)),
        started_ns=first_ns,
        duration_seconds=0.0 if first_ns is None or last_ns is None else (last_ns - first_ns) / 1e9,
        ending=_ending([is_over for _, is_over in sessions.values()], growth),
        events=kinds.total(),
        events_by_kind=dict(sorted(kinds.items())),
        refused_frames=refused,
        damaged_places=reader.scanner.damaged_places,
        skipped_bytes=reader.scanner.skipped_bytes + reader.scanner.incomplete_bytes,
        holes=holes,
        unrecorded_frames=unrecorded,
        shard=shard_report(shard),
    )


def _ending(are_over: list[bool], growth: Growth) -> str | None:
    if not are_over:
        return "broken off" if growth.hub_was_killed else None
    if all(are_over):
        return "finished"
    if not growth.is_of_run_folder:
        return "not recorded"
    return "in progress" if growth.is_possible else "broken off"
