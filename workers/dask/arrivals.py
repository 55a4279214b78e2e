"""Arrivals: what the workers of a cluster publish, in the run's terms.

Anyone in a cluster may publish on its topics. A frame is let in if it is an event that a worker publishes about
its own device, in a stream that the launcher has opened. A run is one host to all who watch it, and the times of a
host are compared with each other: those of a worker on another machine are moved onto the launcher's clock.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from virnucpro_bus import events as ev
from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.codec import Foreign, decode, encode
from virnucpro_bus.events.envelope import Envelope, make_envelope
from workers.dask.machine_clock import MachineClock
from workers.dask.naming import on_host

RESERVED = "reserved"
"""As in hub/admission.py: what only the run itself may say."""
UNKNOWN_STREAM = "unknown-stream"
_OF_WORKERS = (
    ev.WorkerStarted,
    ev.WorkerStopped,
    ev.Heartbeat,
    ev.FileStarted,
    ev.FileProgress,
    ev.FileCompleted,
    ev.FileFailed,
    ev.WorkStolen,
)
_OF_SAMPLERS = (ev.GpuSampled, ev.Heartbeat, ev.Notice)


class Moment(NamedTuple):
    """When a frame arrived, by the launcher's clocks."""

    wall_ns: int
    mono_ns: int


@dataclass
class _Stream:
    """One opened stream, and the last of its times."""

    device: str | None
    """The key of its worker's device; None: it samples the GPUs of `host`."""
    clock: MachineClock | None
    """None: it is on this machine."""
    host: str
    last_seq: int = 0
    last_ns: int = 0
    started: tuple[str, int] | None = None
    """File and attempt that its worker has started last; None: none."""

    def in_order(self, seq: int, mono_ns: int) -> int:
        """Return the time of event `seq`, on the right side of that of the newest event of the stream."""
        if seq < self.last_seq:
            return min(mono_ns, self.last_ns)
        self.last_seq, self.last_ns = seq, max(mono_ns, self.last_ns)
        return self.last_ns


class Arrivals:
    """Decides on the frames of one run's workers, and moves their times. Not thread-safe."""

    def __init__(self, run: str, host: str, refused: Counter[str]) -> None:
        """`run` and `host` are those that the run's events name.

        `refused` counts the frames that are not let in, by reason: a FrameError's, or one of this module.
        """
        self._refused = refused
        self._run = run
        self._host = host
        self._streams: dict[tuple[str, int], _Stream] = {}

    def open(
        self, source: str, epoch: int, device: str | None, clock: MachineClock | None, host: str = ""
    ) -> None:
        """Let in what this source publishes from now on: a worker about its `device`, or a sampler (None).

        `clock` is that of its machine; None: it is this one. `host` is the name of a sampler's machine.
        """
        self._streams[source, epoch] = _Stream(device, clock, host)

    def take(self, frame: bytes, arrived: Moment) -> bytes | None:
        """Return the frame as it goes on the bus; None: it is refused, and counted."""
        try:
            envelope = decode(frame)
        except FrameError as error:
            self._refused[error.reason] += 1
            return None
        stream = self._streams.get((envelope.source, envelope.epoch))
        if stream is None or (envelope.run, envelope.host) != (self._run, self._host):
            self._refused[UNKNOWN_STREAM] += 1
            return None
        if isinstance(envelope, Foreign) or not _may_publish(stream, envelope):
            self._refused[RESERVED] += 1
            return None
        if isinstance(envelope.event, ev.FileStarted):
            stream.started = (envelope.event.file, envelope.event.attempt)
        return frame if stream.clock is None else _move(stream, stream.clock, envelope, arrived)

    def has_started(self, source: str, epoch: int, file: str, attempt: int) -> bool:
        """Whether the worker has started this attempt, as far as it has been heard."""
        stream = self._streams.get((source, epoch))
        return stream is not None and stream.started == (file, attempt)


def _may_publish(stream: _Stream, envelope: Envelope) -> bool:
    event = envelope.event
    if stream.device is None:
        return isinstance(event, _OF_SAMPLERS)
    if not isinstance(event, _OF_WORKERS):
        return False
    if isinstance(event, ev.WorkerStarted):
        return event.device.key == stream.device
    return (event.thief if isinstance(event, ev.WorkStolen) else event.device) == stream.device


def _move(stream: _Stream, clock: MachineClock, envelope: Envelope, arrived: Moment) -> bytes:
    event = envelope.event
    if isinstance(event, ev.GpuSampled):
        # GPU 0 of another machine is another one.
        event = replace(event, device=on_host(event.device, stream.host))
    mono_ns = stream.in_order(envelope.seq, clock.moved(envelope.mono_ns, arrived.mono_ns))
    moved = make_envelope(
        event,
        run=envelope.run,
        host=envelope.host,
        source=envelope.source,
        epoch=envelope.epoch,
        seq=envelope.seq,
        wall_ns=max(0, arrived.wall_ns - (arrived.mono_ns - mono_ns)),
        mono_ns=mono_ns,
    )
    return encode(moved)
