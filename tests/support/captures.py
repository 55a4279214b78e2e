"""Captures written for tests, and the positions of their records."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from virnucpro_bus import events as ev
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.capture.records import Record
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.testing import Script

HEADER_BYTES = 16
RECORD_HEADER_BYTES = 20


def some_frames(count: int) -> list[bytes]:
    """Frames of uneven length."""
    script = Script()
    for at in range(count):
        script.say("w0", ev.FileCompleted("GPU-a", f"{at}.fa" * (at % 7 + 1), 1, at, 0.5), after_seconds=1)
    return script.frames()


def frames_of(text: str) -> list[bytes]:
    """A run of one file in which everything is called `text`."""
    script, device = Script(host=text, run=text), Device(text, text)
    script.say("coordinator", ev.RunStarted(text, text, (device,), 1))
    script.say("coordinator", ev.FilesAssigned(text, (ev.PlannedFile(text, 1, 1),)))
    script.say(text, ev.WorkerStarted(device, 1))
    script.say(text, ev.FileStarted(text, text, 1))
    script.say(text, ev.FileCompleted(text, text, 1, 7, 2.0), after_seconds=2.0)
    script.say("coordinator", ev.RunFinished(0, 1, 0))
    return script.frames()


def write_capture(path: Path, frames: Iterable[bytes], *, step_seconds: float = 1.0) -> list[Record]:
    """Write each of `frames` a step after the one before; returns what the capture should hold."""
    clock = ManualClock()
    records = []
    with CaptureWriter(path, clock) as writer:
        for frame in frames:
            writer.append([frame])
            records.append(Record(clock.wall_ns(), frame))
            clock.advance(step_seconds)
    return records


def recorded(path: Path, envelopes: Iterable[Envelope], times: int = 1) -> None:
    """Write them as they would have been received, each so many times."""
    clock = ManualClock()
    with CaptureWriter(path, clock) as writer:
        for envelope in envelopes:
            clock.wall, clock.mono = envelope.wall_ns, envelope.mono_ns
            writer.append([encode(envelope)] * times)


def spans(records: list[Record]) -> list[tuple[int, int]]:
    """From which to (excluding) which byte of the file each record goes."""
    places, start = [], HEADER_BYTES
    for record in records:
        stop = start + RECORD_HEADER_BYTES + len(record.frame)
        places.append((start, stop))
        start = stop
    return places


def read_all(path: Path) -> list[Record]:
    """What a reader gets out of the file at `path`."""
    return list(CaptureReader(path))
