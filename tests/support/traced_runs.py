"""Runs that contain whatever a trace can show, and what is to be seen of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.support.harmful_texts import harmful
from tests.support.recordings import recorded
from virnucpro_bus import events as ev
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.sources.recording import Recording
from virnucpro_bus.testing import Script
from virnucpro_bus.traces.rows import Row, Slice

A, B = Device("GPU-a", "NVIDIA A100", 0), Device("GPU-b", "NVIDIA A100", 1)


@dataclass(frozen=True)
class ReadRow:
    """A row with all that was to be read once. Each row below it comes after it."""

    name: str
    slices: list[Slice]
    counters: dict[str, list[tuple[int, float]]]


def read(rows: Iterable[Row]) -> list[ReadRow]:
    """Read all rows, those below others too."""
    return list(_read(rows))


def _read(rows: Iterable[Row]) -> Iterator[ReadRow]:
    for row in rows:
        counters = {f"{each.name} {each.unit}": list(each.values) for each in row.counters}
        yield ReadRow(row.name, list(row.slices), counters)
        yield from _read(row.rows)


def harmful_runs() -> Iterator[Recording]:
    """Runs in which whatever has a name or a reason has one that means harm."""
    for text in harmful(60):
        sent = text.encode(errors="replace").decode()  # no event can hold what is not UTF-8
        script, thief, victim = Script(host=sent, run=sent), Device(sent, sent), Device(f"{sent}2", sent)
        script.say("coordinator", ev.RunStarted(sent, sent, (thief, victim), 1))
        script.say("coordinator", ev.Notice(sent))
        script.say(sent, ev.WorkerStarted(thief, 1))
        sample(script, thief, 5.0)
        script.say(sent, ev.FileCompleted(thief.key, sent, 1, 7, 2.0), after_seconds=2.0)
        script.say(sent, ev.FileFailed(thief.key, sent, 2, sent, 1.0), after_seconds=2.0)
        script.say(sent, ev.WorkStolen(thief.key, victim.key, sent, 3, script.clock.wall_ns()))
        script.say(sent, ev.FileStarted(thief.key, sent, 3), after_seconds=1.0)
        script.say("coordinator", ev.WorkerLost(thief.key, sent, 1, sent, sent, 3), after_seconds=1.0)
        yield recorded(script, path=text)


def eventful_run(host: str = "node-a", *, name: str = "sample") -> Script:
    """Two GPUs: steals, one of them of a worker that dies; a failure, a retry, silent samples, a notice."""
    script = Script(host=host)
    script.say("coordinator", ev.RunStarted("job", "cost", (A, B), 4))
    script.say("coordinator", ev.QueueDepths({A.key: 3, B.key: 1}))
    for number, device in enumerate((A, B)):
        script.say(f"worker-{number}", ev.WorkerStarted(device, 100, is_loading=True))
        sample(script, device, 0.0)
    script.clock.advance(2)
    for number, device in enumerate((A, B)):
        script.say(f"worker-{number}", ev.Heartbeat(device.key, "idle", 0, 0, 0, 0, 0))
    _begin(script, 0, f"{name}_1.fa")
    _begin(script, 1, f"{name}_2.fa")
    script.say("coordinator", ev.QueueDepths({A.key: 2, B.key: 0}))
    sample(script, A, 80.0)
    script.say("worker-1", ev.FileCompleted(B.key, f"{name}_2.fa", 1, 500, 1.0), after_seconds=1)
    stolen_ns = script.clock.wall_ns()
    script.say("worker-1", ev.WorkStolen(B.key, A.key, f"{name}_3.fa", 1, stolen_ns), after_seconds=0.25)
    _begin(script, 1, f"{name}_3.fa")
    script.say("coordinator", ev.QueueDepths({A.key: 1, B.key: 0}))
    script.say(
        "worker-0", ev.FileFailed(A.key, f"{name}_1.fa", 1, "not FASTA", 4.25, final=False), after_seconds=3
    )
    script.say("coordinator", ev.Notice(f"{name}_1.fa failed, and is tried again"))
    lost = ev.WorkerLost(B.key, "worker-1", 1, "was killed", f"{name}_3.fa", 1, A.key, stolen_ns)
    script.say("coordinator", lost, after_seconds=0.5)
    sample(script, A, None)
    _begin(script, 0, f"{name}_1.fa", 2)
    script.say("worker-0", ev.FileCompleted(A.key, f"{name}_1.fa", 2, 0, 2.0), after_seconds=2)
    script.say("coordinator", ev.QueueDepths({A.key: 1, B.key: 0}))
    script.say("coordinator", ev.RunFinished(3, 2, 1), after_seconds=4)
    return script


def sample(script: Script, device: Device, percent: float | None) -> None:
    """One sample of a GPU that does not report its temperature."""
    script.say("sampler", ev.GpuSampled(device, percent, 25.0, 10 << 30, 40 << 30, None, 71.3))


def _begin(script: Script, number: int, file: str, attempt: int = 1) -> None:
    script.say(f"worker-{number}", ev.FileStarted((A, B)[number].key, file, attempt))
